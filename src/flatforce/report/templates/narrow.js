// On a narrow screen the panels of a figure stand below one another; on a wide one they are as they were drawn.
const NARROW = window.matchMedia("(max-width: 640px)");

function stackedLayout(layout) {
  const names = Object.keys(layout);
  const panels = names.filter(name => /^xaxis\d*$/.test(name)).map(name => {
    const anchor = layout[name].anchor || "y";
    return { x: name, y: anchor.replace("y", "yaxis"), domain: layout[name].domain || [0, 1] };
  }).sort((a, b) => a.domain[0] - b.domain[0]);
  if (panels.length < 2) return null;
  const stacked = structuredClone(layout);
  const height = Math.max(layout.height || 300, 260), gap = 0.3 / panels.length;
  stacked.height = height * panels.length + 40;
  const first = layout[panels[0].y] || {};
  const right = names.some(name => /^yaxis\d*$/.test(name) && layout[name].overlaying) ? 0.86 : 1;
  panels.forEach((panel, k) => {
    const top = 1 - k / panels.length;
    panel.top = top - (k ? gap * 0.35 : 0);
    stacked[panel.x].domain = [0, right];
    stacked[panel.y].domain = [top - 1 / panels.length + (k < panels.length - 1 ? gap * 0.65 : 0), panel.top];
    const texts = stacked[panel.y].ticktext;
    if (texts) stacked[panel.y].ticktext = Array.from(texts, text => text.length > 16 ? `${text.slice(0, 15)}…` : text);
    if (stacked[panel.y].matches) {
      stacked[panel.y].showticklabels = true;
      stacked[panel.y].title = first.title;
    }
  });
  (stacked.annotations || []).forEach(note => {
    if (note.xref !== "paper" || note.yref !== "paper") return;
    const nearest = panels.reduce((best, panel) =>
      Math.abs((panel.domain[0] + panel.domain[1]) / 2 - note.x) < Math.abs((best.domain[0] + best.domain[1]) / 2 - note.x) ? panel : best);
    note.x = right / 2;
    note.y = nearest.top;
  });
  return stacked;
}

// The colour scale stands beside the first panel only.
function withShortScale(trace) {
  if (!trace.marker || !trace.marker.colorbar) return trace;
  const colorbar = { ...trace.marker.colorbar, lenmode: "pixels", len: 260, y: 1, yanchor: "top", thickness: 12 };
  return { ...trace, marker: { ...trace.marker, colorbar } };
}

function arrange(plot) {
  if (!plot.wideLayout) {
    plot.wideLayout = structuredClone(plot.layout);
    plot.wideData = plot.data;
  }
  const layout = NARROW.matches ? stackedLayout(plot.wideLayout) : plot.wideLayout;
  if (!layout) return;
  const arranged = structuredClone(layout);
  delete arranged.width;
  plot.style.height = `${arranged.height}px`;
  plot.parentElement.style.height = `${arranged.height}px`;
  const data = NARROW.matches ? plot.wideData.map(withShortScale) : plot.wideData;
  Plotly.react(plot, data, arranged, { displayModeBar: false, responsive: true });
}

function arrangeAll() {
  document.querySelectorAll(".plotly-graph-div").forEach(arrange);
}

if (NARROW.matches) arrangeAll();
NARROW.addEventListener("change", arrangeAll);
