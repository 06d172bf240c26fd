# SPDX-License-Identifier: GPL-3.0-or-later
"""axe-core, the accessibility checker, installed from npm once a build."""
import json

from .npm import install

RUN = """(async () => {
	%s
	const found = await axe.run(document, {resultTypes: ["violations"]});
	return JSON.stringify(found.violations.map(v => [v.id, v.nodes.map(n => n.html)]));
})()"""


def source():
    """The script's text."""
    return (install("axe") / "node_modules/axe-core/axe.min.js").read_text()


def violations(browser, text):
    """What axe finds on the page that the browser shows; text: source(). Scripts are on afterwards."""
    browser.page("Emulation.setScriptExecutionDisabled", value=False)
    done = browser.page("Runtime.evaluate", expression=RUN.replace("%s", text), awaitPromise=True, returnByValue=True)
    assert "exceptionDetails" not in done, done
    return json.loads(done["result"]["value"])
