// A canvas to draw on, with pointer, pen, finger or keyboard. It gives ink: how much of each pixel is covered, 0..255.
// What is drawn is kept as strokes in parts of the pad's side (0..1), so that it survives a change of size, and undo.
// Two canvases are drawn alike: the visible one, sharp, and a small one in main memory that the ink is read from.

/** @typedef {{x: number, y: number, pressure: number}} Point parts of the side; pressure 0..1, 0.5 where unknown */
/** @typedef {{erase: boolean, size: number, points: Point[]}} Stroke size: brush width as a part of the side */
/** @typedef {{pixels: Uint8Array, width: number, height: number}} Ink */

/** Side of the ink in pixels: five for each of the 28, plenty for the averaging that follows. */
export const INK_SIDE = 140;
/** An arrow key moves the keyboard's pen this far. */
const KEY_STEP = 0.025;

/**
 * @param {HTMLCanvasElement} canvas
 * @param {(ink: Ink | null) => void} onInk called at most once a frame; null: nothing is drawn
 * @param {{onCursor?: (cursor: {x: number, y: number, down: boolean} | null) => void, onKey?: (key: "erase") => void}} [options]
 */
export function createDrawPad(canvas, onInk, { onCursor = () => {}, onKey = () => {} } = {}) {
  const visible = context(canvas);
  const small = document.createElement("canvas");
  small.width = small.height = INK_SIDE;
  const reading = context(small, { willReadFrequently: true });

  /** @type {Stroke[]} */
  let strokes = [];
  /** What to go back to. @type {Stroke[][]} */
  let past = [];
  /** @type {Stroke | null} */
  let stroke = null;
  /** @type {number | null} */
  let pointer = null;
  let size = 0.085;
  let erasing = false;
  let frame = 0;
  /** The keyboard's pen. */
  const pen = { x: 0.5, y: 0.25, down: false };

  const announce = () => {
    frame ||= requestAnimationFrame(() => {
      frame = 0;
      onInk(readInk());
    });
  };

  /** @returns {Ink | null} */
  function readInk() {
    const { data } = reading.getImageData(0, 0, INK_SIDE, INK_SIDE);
    const pixels = new Uint8Array(INK_SIDE * INK_SIDE);
    let any = false;
    for (let i = 0; i < pixels.length; i++) {
      pixels[i] = data[4 * i + 3];
      any ||= pixels[i] > 8;
    }
    return any ? { pixels, width: INK_SIDE, height: INK_SIDE } : null;
  }

  function redraw() {
    for (const target of [visible, reading]) {
      target.clearRect(0, 0, target.canvas.width, target.canvas.height);
      for (const each of strokes) drawStroke(target, each, 0);
    }
  }

  /** @param {boolean} erase */
  function begin(erase) {
    past.push(strokes);
    if (past.length > 100) past.shift();
    stroke = { erase, size, points: [] };
    strokes = [...strokes, stroke];
  }

  /** @param {Point[]} points */
  function extend(points) {
    if (!stroke || points.length === 0) return;
    const from = Math.max(0, stroke.points.length - 1);
    stroke.points.push(...points);
    drawStroke(visible, stroke, from);
    drawStroke(reading, stroke, from);
    announce();
  }

  /** @param {PointerEvent} event @returns {Point} */
  function pointOf(event) {
    const box = canvas.getBoundingClientRect();
    return {
      x: (event.clientX - box.left) / box.width,
      y: (event.clientY - box.top) / box.height,
      pressure: event.pointerType === "pen" && event.pressure > 0 ? event.pressure : 0.5,
    };
  }

  canvas.addEventListener("pointerdown", (event) => {
    if (pointer !== null || (event.pointerType === "mouse" && event.button !== 0)) return;
    pointer = event.pointerId;
    canvas.setPointerCapture(pointer);
    onCursor(null);
    pen.down = false;
    begin(erasing || (event.buttons & 32) !== 0); // 32: a pen's eraser end
    extend([pointOf(event)]);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (event.pointerId !== pointer) return;
    const events = event.getCoalescedEvents?.() ?? [];
    extend((events.length ? events : [event]).map(pointOf));
  });
  /** @param {PointerEvent} event */
  const end = (event) => {
    if (event.pointerId !== pointer) return;
    pointer = null;
    stroke = null;
  };
  canvas.addEventListener("pointerup", end);
  canvas.addEventListener("pointercancel", end);
  // Safari scrolls and selects in spite of touch-action.
  canvas.addEventListener("touchstart", (event) => event.preventDefault(), { passive: false });

  /** @type {Record<string, [number, number]>} */
  const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  canvas.addEventListener("keydown", (event) => {
    const { key } = event;
    if ((event.ctrlKey || event.metaKey) && key.toLowerCase() === "z") pad.undo();
    else if (event.ctrlKey || event.metaKey || event.altKey) return;
    else if (key === "Escape" || key === "Delete" || key === "Backspace") pad.clear();
    else if (key === "e" || key === "E") onKey("erase");
    else if (key === " " || key === "Enter") {
      pen.down = !pen.down;
      if (pen.down) {
        begin(erasing);
        extend([{ x: pen.x, y: pen.y, pressure: 0.5 }]);
      } else stroke = null;
      onCursor({ ...pen });
    } else if (arrows[key]) {
      const step = KEY_STEP * (event.shiftKey ? 3 : 1);
      pen.x = Math.min(1, Math.max(0, pen.x + arrows[key][0] * step));
      pen.y = Math.min(1, Math.max(0, pen.y + arrows[key][1] * step));
      if (pen.down) extend([{ x: pen.x, y: pen.y, pressure: 0.5 }]);
      onCursor({ ...pen });
    } else return;
    event.preventDefault();
  });
  canvas.addEventListener("blur", () => {
    if (pen.down) stroke = null;
    pen.down = false;
    onCursor(null);
  });
  canvas.addEventListener("focus", () => {
    if (canvas.matches(":focus-visible")) onCursor({ ...pen });
  });

  new ResizeObserver(() => {
    const side = Math.round(canvas.clientWidth * Math.min(3, window.devicePixelRatio || 1));
    if (side === 0 || side === canvas.width) return;
    canvas.width = canvas.height = side;
    redraw();
  }).observe(canvas);

  const pad = {
    /** Takes back the last stroke, or the last clearing. */
    undo() {
      const before = past.pop();
      if (!before) return;
      stroke = null;
      pen.down = false;
      strokes = before;
      redraw();
      announce();
    },
    clear() {
      stroke = null;
      pen.down = false;
      pen.x = 0.5;
      pen.y = 0.25;
      if (strokes.length === 0) return;
      past.push(strokes);
      strokes = [];
      redraw();
      announce();
    },
    /** @param {boolean} on */
    setErasing(on) {
      erasing = on;
    },
    /** @param {number} part brush width as a part of the pad's side */
    setBrush(part) {
      size = part;
    },
  };
  return pad;
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {CanvasRenderingContext2DSettings} [settings]
 */
function context(canvas, settings) {
  const context = canvas.getContext("2d", settings);
  if (!context) throw new Error("This browser cannot draw on a canvas.");
  return context;
}

/**
 * Draws a stroke from one of its points on. Pressure makes it wider: 0.6 to 1.4 times the brush.
 * @param {CanvasRenderingContext2D} target
 * @param {Stroke} stroke
 * @param {number} from
 */
function drawStroke(target, { erase, size, points }, from) {
  const side = target.canvas.width;
  /** @param {Point} point */
  const width = (point) => side * size * (erase ? 2 : 1) * (0.6 + 0.8 * point.pressure);
  target.globalCompositeOperation = erase ? "destination-out" : "source-over";
  target.lineCap = target.lineJoin = "round";
  target.strokeStyle = target.fillStyle = "#000";
  if (points.length === 1) {
    target.beginPath();
    target.arc(points[0].x * side, points[0].y * side, width(points[0]) / 2, 0, 2 * Math.PI);
    target.fill();
  }
  for (let i = Math.max(1, from + 1); i < points.length; i++) {
    target.beginPath();
    target.lineWidth = (width(points[i - 1]) + width(points[i])) / 2;
    target.moveTo(points[i - 1].x * side, points[i - 1].y * side);
    target.lineTo(points[i].x * side, points[i].y * side);
    target.stroke();
  }
  target.globalCompositeOperation = "source-over";
}
