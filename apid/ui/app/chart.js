// SPDX-License-Identifier: GPL-3.0-or-later
// Graphs by Chart.js, which is loaded when the first one is shown.

import { el } from "./dom.js";

let loading = null;
const load = () => (loading ??= import("../vendor/chart.js").then(() => globalThis.Chart));
const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/*
 * A line or bar over time. series: [{label, tone: "--accent", fill}]. labels are texts of the x axis.
 * → {node, set(labels, [values, …], summary)}; summary says the same to those who do not see it.
 */
export function timeChart({ series, kind = "line", height = 220, stacked = false, format = String, signal }) {
	const canvas = el("canvas", { role: "img", "aria-label": series.map(s => s.label).join(", ") });
	const node = el("div", { class: "chart" }, canvas);
	node.style.height = height + "px";
	let chart = null, waiting = null;

	function paint() {
		const line = colour("--line"), dim = colour("--dim");
		chart.data.datasets.forEach((d, i) => {
			const tone = colour(series[i].tone);
			Object.assign(d, { borderColor: tone, backgroundColor: kind === "bar" ? tone : `color-mix(in srgb, ${tone} 16%, transparent)` });
		});
		for (const axis of Object.values(chart.options.scales)) {
			axis.grid.color = line;
			axis.ticks.color = dim;
		}
		chart.options.plugins.legend.labels.color = colour("--text");
		chart.update("none");
	}

	load().then(Chart => {
		if (signal?.aborted) return;
		chart = new Chart(canvas, {
			type: kind,
			data: { labels: [], datasets: series.map(s => ({ label: s.label, data: [], fill: s.fill ?? false, borderWidth: 2, pointRadius: 0, tension: 0.3, borderRadius: 3 })) },
			options: {
				animation: false, responsive: true, maintainAspectRatio: false, normalized: true, interaction: { mode: "index", intersect: false },
				scales: {
					x: { stacked, grid: { display: false }, ticks: { maxRotation: 0, autoSkipPadding: 28 } },
					y: { stacked, beginAtZero: true, grid: {}, ticks: { maxTicksLimit: 5, callback: value => format(value) } },
				},
				plugins: { legend: { position: "bottom", labels: { boxWidth: 10, boxHeight: 10, useBorderRadius: true } }, tooltip: { callbacks: { label: c => `${c.dataset.label}: ${format(c.parsed.y)}` } } },
			},
		});
		const watch = new MutationObserver(paint);
		watch.observe(document.documentElement, { attributeFilter: ["data-theme"] });
		signal?.addEventListener("abort", () => { watch.disconnect(); chart.destroy(); });
		paint();
		if (waiting) set(...waiting);
	});

	function set(labels, values, summary) {
		canvas.setAttribute("aria-label", summary);
		if (!chart) {
			waiting = [labels, values, summary];
			return;
		}
		chart.data.labels = labels;
		values.forEach((v, i) => { chart.data.datasets[i].data = v; });
		chart.update("none");
	}
	return { node, set };
}
