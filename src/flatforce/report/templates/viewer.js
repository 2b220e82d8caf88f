// A sheet in three dimensions: painter's algorithm on a 2D canvas; the selected mode animates the atoms.
class Viewer {
  constructor(root, scene) {
    this.scene = scene;
    this.canvas = root.querySelector("canvas");
    this.pen = this.canvas.getContext("2d");
    this.select = root.querySelector("select");
    this.button = root.querySelector("button");
    this.slider = root.querySelector("input");
    this.rows = [...document.querySelectorAll(`table[data-view="${root.id}"] tr[data-mode]`)];
    this.tilt = 1.05; this.turn = 0.35; this.phase = 0; this.playing = true; this.last = null;
    const radius = Math.max(...scene.positions.map(p => Math.hypot(p[0], p[1])));
    this.zoom = 0.47 * this.canvas.width / radius;
    this.listen(root);
    this.choose(0);
    requestAnimationFrame(now => this.tick(now));
  }

  choose(mode) {
    this.mode = mode;
    this.select.value = String(mode);
    this.canvas.dataset.mode = String(mode);
    this.rows.forEach(row => row.classList.toggle("selected", Number(row.dataset.mode) === mode));
  }

  listen(root) {
    this.select.addEventListener("change", () => this.choose(Number(this.select.value)));
    this.button.addEventListener("click", () => {
      this.playing = !this.playing;
      this.button.textContent = this.playing ? "pause" : "play";
    });
    for (const row of this.rows) {
      const pick = () => { this.choose(Number(row.dataset.mode)); root.scrollIntoView({ behavior: "smooth", block: "nearest" }); };
      row.addEventListener("click", pick);
      row.addEventListener("keydown", event => { if (event.key === "Enter") pick(); });
    }
    let from = null;
    this.canvas.addEventListener("pointerdown", event => {
      from = [event.clientX, event.clientY];
      this.canvas.setPointerCapture(event.pointerId);
    });
    this.canvas.addEventListener("pointermove", event => {
      if (!from) return;
      this.turn += (event.clientX - from[0]) / 150;
      this.tilt = Math.min(Math.PI, Math.max(0, this.tilt + (event.clientY - from[1]) / 150));
      from = [event.clientX, event.clientY];
    });
    this.canvas.addEventListener("pointerup", () => { from = null; });
    this.canvas.addEventListener("wheel", event => {
      event.preventDefault();
      this.zoom *= Math.exp(-event.deltaY / 600);
    }, { passive: false });
  }

  tick(now) {
    if (this.playing && this.last !== null) this.phase += 2 * Math.PI * (now - this.last) / 1200;
    this.last = now;
    this.draw();
    requestAnimationFrame(next => this.tick(next));
  }

  project([x, y, z]) {
    const c = Math.cos(this.turn), s = Math.sin(this.turn);
    const u = c * x - s * y, v = s * x + c * y;
    const ct = Math.cos(this.tilt), st = Math.sin(this.tilt);
    return [this.canvas.width / 2 + this.zoom * u, this.canvas.height / 2 - this.zoom * (ct * v + st * z), st * v * -1 + ct * z];
  }

  draw() {
    const { positions, symbols, colours, radii, bonds, modes } = this.scene;
    const swing = Number(this.slider.value) * Math.sin(this.phase);
    const move = modes[this.mode].vectors;
    const at = positions.map((p, i) => this.project(p.map((x, k) => x + swing * move[i][k])));
    this.pen.clearRect(0, 0, this.canvas.width, this.canvas.height);
    const items = bonds.map(([i, j]) => ({ depth: (at[i][2] + at[j][2]) / 2 - 0.3, bond: [at[i], at[j]] }));
    at.forEach((p, i) => items.push({ depth: p[2], atom: p, i }));
    items.sort((a, b) => a.depth - b.depth);
    for (const item of items) {
      this.pen.beginPath();
      if (item.bond) {
        const [a, b] = item.bond;
        this.pen.moveTo(a[0], a[1]); this.pen.lineTo(b[0], b[1]);
        this.pen.strokeStyle = "#b5b5b5"; this.pen.lineWidth = 0.16 * this.zoom; this.pen.stroke();
      } else {
        const symbol = symbols[item.i];
        this.pen.arc(item.atom[0], item.atom[1], 0.45 * radii[symbol] * this.zoom, 0, 2 * Math.PI);
        this.pen.fillStyle = colours[symbol]; this.pen.fill();
        this.pen.strokeStyle = "#444"; this.pen.lineWidth = 1; this.pen.stroke();
      }
    }
  }
}

for (const [id, scene] of Object.entries(SCENES)) {
  const root = document.getElementById(id);
  root.viewer = new Viewer(root, scene);
}
