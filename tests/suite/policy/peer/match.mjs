// SPDX-License-Identifier: GPL-3.0-or-later
// match.mjs LIST: for each name on stdin the filter by which the engine blocks a script from there
// ("@@…": the exception that lets it pass), an empty line when there is none.
import fs from 'node:fs';
import { FiltersEngine, Request } from '@ghostery/adblocker';

const engine = FiltersEngine.parse(fs.readFileSync(process.argv[2], 'utf8'), { debug: true });
const out = [];
for (const name of fs.readFileSync(0, 'utf8').split('\n')) {
	if (!name) continue;
	const request = Request.fromRawDetails({
		url: `https://${name}/`, type: 'script', sourceUrl: 'https://page.test/',
	});
	const { exception, filter } = engine.match(request);
	out.push((exception || filter)?.rawLine || '');
}
fs.writeSync(1, out.join('\n') + '\n');
