//! Convolution (stride 1, no padding) with ReLU, and with max pooling where wanted, as products:
//!
//! | | rows | columns | terms |
//! |---|---|---|---|
//! | forward | channels out | pixels of an image | channels in × taps |
//! | gradient by the input | channels in | pixels of an image | channels out × taps |
//! | gradient by weights and bias | channels out | channels in × taps, and a one | pixels, of several images |
//!
//! No image is laid out in columns first: the operands are read where they lie. The gradient by the
//! convolution's sums is written once, with a margin of zeros, in which the gradient by the input is
//! a convolution without padding again.

use burn::backend::wgpu::CubeTensor;

use super::launch::{Interface, Program, bits, empty, launch};
use super::product::{Beside, Operand, Product, THREADS, Tile};

/// Images whose gradients by the weights are summed by workgroups of their own at most; what is left
/// is summed by the same ones.
const PARTS_MAX: usize = 64;
/// Threads of a workgroup where each does an element.
const EACH: usize = 256;

/// A convolution's shape, without the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Conv {
    /// Channels in and out.
    pub ci: usize,
    pub co: usize,
    /// Rows and columns of an image.
    pub h: usize,
    pub w: usize,
    /// Rows and columns of the kernel.
    pub kernel: usize,
    /// Whether 2×2 windows are pooled.
    pub pool: bool,
}

impl Conv {
    fn taps(&self) -> usize {
        self.kernel * self.kernel
    }

    /// Rows and columns of the sums.
    fn sums(&self) -> [usize; 2] {
        [self.h + 1 - self.kernel, self.w + 1 - self.kernel]
    }

    /// Rows and columns of the output.
    pub fn output(&self) -> [usize; 2] {
        self.sums().map(|size| if self.pool { size / 2 } else { size })
    }

    /// Zeros around the gradient by the sums.
    fn margin(&self, input_wanted: bool) -> usize {
        if input_wanted { self.kernel - 1 } else { 0 }
    }
}

/// The output, and where pooling took it from: 0 to 3, or 4 where ReLU gave zero.
pub fn forward(s: &Conv, x: &CubeTensor, w: &CubeTensor, b: &CubeTensor) -> (CubeTensor, Option<CubeTensor>) {
    let (n, [oh, ow]) = (x.meta.shape()[0], s.output());
    let y = empty(x, [n, s.co, oh, ow]);
    let columns = if s.pool { 4 * oh * ow } else { oh * ow };
    let tile = Tile::of(s.co, columns);
    let [down, across] = tile.groups(s.co, columns);
    let program = Convolve { s: *s, tile, direction: Direction::Forward };
    if s.pool {
        let from = empty(x, [n, s.co, oh, ow]);
        launch(program, [across, down, n], &[x, w, b], &[&y, &from], &[]);
        (y, Some(from))
    } else {
        launch(program, [across, down, n], &[x, w, b], &[&y], &[]);
        (y, None)
    }
}

/// The gradients by the input, where wanted, and by weights and bias. `y` is [`forward`]'s output, or
/// where it came from.
pub fn backward(
    s: &Conv,
    [x, w, y, dy]: [&CubeTensor; 4],
    input_wanted: bool,
    weights_wanted: bool,
) -> (Option<CubeTensor>, Option<[CubeTensor; 2]>) {
    let (n, margin) = (x.meta.shape()[0], s.margin(input_wanted));
    let [oh, ow] = s.sums();
    let (rows, columns) = (oh + 2 * margin, ow + 2 * margin);
    let dz = empty(x, [n, s.co, rows, columns]);
    let plane_groups = (s.co * rows * columns).div_ceil(EACH);
    launch(Spread { s: *s, margin }, [plane_groups, n, 1], &[dy, y], &[&dz], &[]);
    let dx = input_wanted.then(|| {
        let dx = empty(x, [n, s.ci, s.h, s.w]);
        let tile = Tile::of(s.ci, s.h * s.w);
        let [down, across] = tile.groups(s.ci, s.h * s.w);
        launch(Convolve { s: *s, tile, direction: Direction::Back }, [across, down, n], &[&dz, w], &[&dx], &[]);
        dx
    });
    let dw = weights_wanted.then(|| {
        let terms = s.ci * s.taps();
        let tile = Tile::of(s.co, terms + 1);
        let [down, across] = tile.groups(s.co, terms + 1);
        let parts = n.min(PARTS_MAX);
        let sums = empty(x, [parts, s.co, terms + 1]);
        let program = ByWeights { s: *s, tile, margin };
        launch(program, [across, down, parts], &[x, &dz], &[&sums], &[bits(n), bits(parts)]);
        let (dw, db) = (empty(x, [s.co, s.ci, s.kernel, s.kernel]), empty(x, [s.co]));
        let groups = (s.co * (terms + 1)).div_ceil(EACH);
        let numbers = [bits(parts), bits(s.co), bits(terms + 1)];
        launch(SumParts, [groups, 1, 1], &[&sums], &[&dw, &db], &numbers);
        [dw, db]
    });
    (dx, dw)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Direction {
    Forward,
    /// From the gradient by the sums to that by the input: a convolution with turned kernels.
    Back,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Convolve {
    s: Conv,
    tile: Tile,
    direction: Direction,
}

impl Program for Convolve {
    fn interface(&self) -> Interface {
        let (read, written): (&[_], &[_]) = match self.direction {
            Direction::Back => (&[("x", "f32"), ("w", "f32")], &[("y", "f32")]),
            Direction::Forward if self.s.pool => {
                (&[("x", "f32"), ("w", "f32"), ("b", "f32")], &[("y", "f32"), ("source", "u32")])
            }
            Direction::Forward => (&[("x", "f32"), ("w", "f32"), ("b", "f32")], &[("y", "f32")]),
        };
        Interface { read, written, numbers: false }
    }

    fn threads(&self) -> u32 {
        THREADS
    }

    fn text(&self) -> String {
        let Conv { ci, co, h, w, kernel, pool } = self.s;
        let forward = self.direction == Direction::Forward;
        let (channels, rows, [height, width]) = if forward {
            (ci, co, [h, w])
        } else {
            // The gradient by the sums, with its margin.
            (co, ci, [h + kernel - 1, w + kernel - 1])
        };
        let [oh, ow] = if forward { self.s.output() } else { [h, w] };
        let taps = kernel * kernel;
        // Four columns in a row are a window where windows are pooled.
        let pooled = forward && pool;
        let place = if pooled {
            "let four = i / 4u; return (four / OW * 2u + i / 2u % 2u) * WIDTH + four % OW * 2u + i % 2u;"
        } else {
            "return i / OW * WIDTH + i % OW;"
        };
        let columns = if pooled { 4 * oh * ow } else { oh * ow };
        let store = match (forward, pooled) {
            (true, true) => "
  if (four >= COLUMNS / 4u) { return; }
  let z = value + b[m];
  var most = z.x;
  var place = 0u;
  if (z.y > most) { most = z.y; place = 1u; }
  if (z.z > most) { most = z.z; place = 2u; }
  if (z.w > most) { most = z.w; place = 3u; }
  let at = (group.z * ROWS + m) * (COLUMNS / 4u) + four;
  y[at] = max(most, 0.0);
  source[at] = select(4u, place, most > 0.0);
"
            .into(),
            (true, false) => each_of_four("y[(group.z * ROWS + m) * COLUMNS + n] = max(VALUE + b[m], 0.0);", "COLUMNS"),
            (false, _) => each_of_four("y[(group.z * ROWS + m) * COLUMNS + n] = VALUE;", "COLUMNS"),
        };
        let declarations = format!(
            "const CHANNELS = {channels}u;
const ROWS = {rows}u;
const COLUMNS = {columns}u;
const WIDTH = {width}u;
const PLANE = {}u;
const OW = {ow}u;
const KERNEL = {kernel}u;
const TAPS = {taps}u;
fn place(i: u32) -> u32 {{ {place} }}
fn store(group: vec3<u32>, m: u32, four: u32, value: vec4<f32>) {{{store}}}",
            height * width,
        );
        let weights = if forward {
            "let at = min(vec4(4u * four) + vec4(0u, 1u, 2u, 3u), vec4(ROWS - 1u)) * (CHANNELS * TAPS) + k;"
        } else {
            "let at = k / TAPS * (ROWS * TAPS)
            + min(vec4(4u * four) + vec4(0u, 1u, 2u, 3u), vec4(ROWS - 1u)) * TAPS + (TAPS - 1u - k % TAPS);"
        };
        Product {
            tile: self.tile,
            declarations: &declarations,
            rows: "ROWS",
            prepare: &format!(
                "  let last = COLUMNS - 1u;
  let own = 4u * (column + thread % {}u);
  let base = vec4(place(min(own, last)), place(min(own + 1u, last)), place(min(own + 2u, last)), place(min(own + 3u, last)))
    + group.z * CHANNELS * PLANE;",
                self.tile.width_in_fours(),
            ),
            repeat: "",
            range: ["0u", "CHANNELS * TAPS"],
            a: Operand {
                beside: Beside::Terms,
                load: &format!("{weights} value = vec4(w[at.x], w[at.y], w[at.z], w[at.w]);"),
            },
            b: Operand {
                beside: Beside::Sums,
                load: "let tap = k % TAPS;
            let at = base + (k / TAPS * PLANE + tap / KERNEL * WIDTH + tap % KERNEL);
            value = vec4(x[at.x], x[at.y], x[at.z], x[at.w]);",
            },
        }
        .text()
    }
}

/// A statement for each of four elements, those out of range left out: `n` is its column, `VALUE` itself.
pub fn each_of_four(statement: &str, columns: &str) -> String {
    ["x", "y", "z", "w"]
        .iter()
        .enumerate()
        .map(|(i, lane)| {
            let statement = statement.replace("VALUE", &format!("value.{lane}"));
            format!("\n  {{ let n = 4u * four + {i}u; if (n < {columns}) {{ {statement} }} }}")
        })
        .collect()
}

/// The gradient by the sums from that by the output, within its margin.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Spread {
    s: Conv,
    margin: usize,
}

impl Program for Spread {
    fn interface(&self) -> Interface {
        let read: &[_] = if self.s.pool { &[("dy", "f32"), ("source", "u32")] } else { &[("dy", "f32"), ("y", "f32")] };
        Interface { read, written: &[("dz", "f32")], numbers: false }
    }

    fn threads(&self) -> u32 {
        EACH as u32
    }

    fn text(&self) -> String {
        let ([sums_h, sums_w], [oh, ow]) = (self.s.sums(), self.s.output());
        let margin = self.margin;
        let (rows, columns) = (sums_h + 2 * margin, sums_w + 2 * margin);
        let size = self.s.co * rows * columns;
        let value = if self.s.pool {
            // What is left over by the windows has no gradient.
            "if (r / 2u < OH && c / 2u < OW) {
      let at = (group.y * CO + i / (ROWS * COLUMNS)) * OH * OW + r / 2u * OW + c / 2u;
      if (source[at] == r % 2u * 2u + c % 2u) { value = dy[at]; }
    }"
        } else {
            "let at = (group.y * CO + i / (ROWS * COLUMNS)) * OH * OW + r * OW + c;
    if (y[at] > 0.0) { value = dy[at]; }"
        };
        format!(
            "const CO = {}u;
const ROWS = {rows}u;
const COLUMNS = {columns}u;
const OH = {oh}u;
const OW = {ow}u;
@compute @workgroup_size({EACH})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {{
  let i = group.x * {EACH}u + thread;
  if (i >= {size}u) {{ return; }}
  // Wraps around in the margin, and is then too large.
  let r = i / COLUMNS % ROWS - {margin}u;
  let c = i % COLUMNS - {margin}u;
  var value = 0.0;
  if (r < {sums_h}u && c < {sums_w}u) {{
    {value}
  }}
  dz[group.y * {size}u + i] = value;
}}
",
            self.s.co,
        )
    }
}

/// The gradients by weights and bias, summed over a part of the images.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct ByWeights {
    s: Conv,
    tile: Tile,
    margin: usize,
}

impl Program for ByWeights {
    fn interface(&self) -> Interface {
        Interface { read: &[("x", "f32"), ("dz", "f32")], written: &[("sums", "f32")], numbers: true }
    }

    fn threads(&self) -> u32 {
        THREADS
    }

    fn text(&self) -> String {
        let Conv { ci, co, h, w, kernel, .. } = self.s;
        let ([sums_h, sums_w], taps, margin) = (self.s.sums(), kernel * kernel, self.margin);
        let (terms, plane) = (ci * taps, h * w);
        let (z_width, z_plane) = (sums_w + 2 * margin, (sums_h + 2 * margin) * (sums_w + 2 * margin));
        let store = each_of_four("sums[(group.z * ROWS + m) * COLUMNS + n] = VALUE;", "COLUMNS");
        let declarations = format!(
            "const ROWS = {co}u;
const COLUMNS = {}u;
const ONES = {terms}u;
const OW = {sums_w}u;
fn place(i: u32) -> u32 {{
  if (i >= ONES) {{ return 0u; }}
  let tap = i % {taps}u;
  return i / {taps}u * {plane}u + tap / {kernel}u * {w}u + tap % {kernel}u;
}}
fn store(group: vec3<u32>, m: u32, four: u32, value: vec4<f32>) {{{store}}}
var<workgroup> places: array<vec4<u32>, {}>;",
            terms + 1,
            self.tile.width_in_fours(),
        );
        Product {
            tile: self.tile,
            declarations: &declarations,
            rows: "ROWS",
            prepare: &format!(
                "  if (thread < {}u) {{
    let own = 4u * (column + thread);
    places[thread] = vec4(place(own), place(own + 1u), place(own + 2u), place(own + 3u));
  }}
  workgroupBarrier();",
                self.tile.width_in_fours(),
            ),
            repeat: "for (var image = group.z; image < numbers[0].x; image += numbers[0].y)",
            range: ["0u", &format!("{}u", sums_h * sums_w)],
            a: Operand {
                beside: Beside::Terms,
                load: &format!(
                    "let at = (image * ROWS + min(vec4(4u * four) + vec4(0u, 1u, 2u, 3u), vec4(ROWS - 1u))) * {z_plane}u
            + ((k / OW + {margin}u) * {z_width}u + k % OW + {margin}u);
            value = vec4(dz[at.x], dz[at.y], dz[at.z], dz[at.w]);"
                ),
            },
            b: Operand {
                beside: Beside::Terms,
                load: &format!(
                    "let at = places[i] + (image * {}u + k / OW * {w}u + k % OW);
            value = vec4(x[at.x], x[at.y], x[at.z], x[at.w]);
            value = select(value, vec4(1.0), vec4(4u * four) + vec4(0u, 1u, 2u, 3u) == vec4(ONES));",
                    ci * plane,
                ),
            },
        }
        .text()
    }
}

/// The sums of the parts, the last column apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct SumParts;

impl Program for SumParts {
    fn interface(&self) -> Interface {
        Interface { read: &[("sums", "f32")], written: &[("dw", "f32"), ("db", "f32")], numbers: true }
    }

    fn threads(&self) -> u32 {
        EACH as u32
    }

    fn text(&self) -> String {
        format!(
            "@compute @workgroup_size({EACH})
fn main(@builtin(global_invocation_id) id: vec3<u32>) {{
  let parts = numbers[0].x;
  let rows = numbers[0].y;
  let columns = numbers[0].z;
  let i = id.x;
  if (i >= rows * columns) {{ return; }}
  var sum = 0.0;
  for (var part = 0u; part < parts; part++) {{ sum += sums[part * rows * columns + i]; }}
  let row = i / columns;
  let column = i % columns;
  if (column + 1u == columns) {{ db[row] = sum; }} else {{ dw[row * (columns - 1u) + column] = sum; }}
}}
"
        )
    }
}
