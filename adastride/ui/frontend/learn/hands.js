// @ts-check
// Pointers on the picture, and arrow keys.

/** @typedef {import("./lesson.js").Lesson} Lesson */
/** @typedef {[right: number, up: number]} Arrow */

/** @type {Record<string, Arrow>} */
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

/** What a pointer does on the canvas goes to the picture of the step. @param {Lesson} lesson */
export function followPointer(lesson) {
  const { canvas } = lesson;
  let pressed = false;
  /** @param {PointerEvent} event */
  const point = (event) => {
    const { left, top } = canvas.getBoundingClientRect();
    lesson.picture.point?.(event.clientX - left, event.clientY - top, lesson, pressed);
  };
  lesson.on(canvas, "pointerdown", (event) => {
    pressed = true;
    canvas.setPointerCapture(event.pointerId);
    lesson.mover.stop();
    point(event);
  });
  lesson.on(canvas, "pointermove", point);
  for (const type of ["pointerup", "pointercancel"]) lesson.on(canvas, type, () => { pressed = false; });
}

/** Arrow keys belong to whatever has the focus in here; elsewhere they turn the lesson's pages. @param {Lesson} lesson */
export function followKeys(lesson) {
  lesson.on(lesson.root, "keydown", (event) => {
    const target = event.composedPath()[0], arrow = ARROWS[event.key];
    if (!arrow || event.ctrlKey || event.metaKey || event.altKey) return;
    const slider = target.matches("input"); // which the browser itself moves
    if (!slider && !moves(lesson, target, arrow, event.shiftKey)) return;
    event.stopPropagation();
    if (!slider) event.preventDefault();
  });
}

/**
 * Is an arrow meant for something of the picture? Then it has moved.
 * @param {Lesson} lesson @param {EventTarget} target @param {Arrow} arrow @param {boolean} large
 */
function moves(lesson, target, arrow, large) {
  const { canvas, picture, bars } = lesson;
  if (target !== canvas || !picture.step) return bars.key(target, arrow, large);
  picture.step(...arrow, lesson);
  return true;
}
