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

use super::launch::{EACH, Interface, Program, bits, empty, launch};
use super::product::{Operand, Product, THREADS, Tile, divided, element, store_row, unrolled};

/// Images whose gradients by the weights are summed by workgroups of their own at most; what is left
/// is summed by the same ones.
const PARTS_MAX: usize = 64;

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

    /// Columns of the sums for the gradients by weights and bias: fours, the last of which may have some
    /// that mean nothing.
    fn columns(&self) -> usize {
        (self.ci * self.taps() + 1).next_multiple_of(4)
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
        let columns = s.columns();
        let tile = Tile::of(s.co, columns);
        let [down, across] = tile.groups(s.co, columns);
        let parts = n.min(PARTS_MAX);
        let sums = empty(x, [parts, s.co, columns]);
        let program = ByWeights { s: *s, tile, margin };
        launch(program, [across, down, parts], &[x, &dz], &[&sums], &[bits(n), bits(parts)]);
        let (dw, db) = (empty(x, [s.co, s.ci, s.kernel, s.kernel]), empty(x, [s.co]));
        let terms = s.ci * s.taps();
        let groups = (s.co * (terms + 1)).div_ceil(EACH);
        let numbers = [bits(parts), bits(s.co), bits(terms), bits(columns)];
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
        let (mut read, [oh, ow]) = (vec![("x", "f32"), ("w", "f32")], self.s.output());
        let written = match self.direction {
            Direction::Back => vec![("y", element(self.s.h * self.s.w))],
            Direction::Forward if self.s.pool => vec![("y", "f32"), ("source", "u32")],
            Direction::Forward => vec![("y", element(oh * ow))],
        };
        if self.direction == Direction::Forward {
            read.push(("b", "f32"));
        }
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
        let columns = if pooled { 4 * oh * ow } else { oh * ow };
        let place = if pooled {
            format!(
                "let four = i / 4u; let r = {}; return (r * 2u + i / 2u % 2u) * WIDTH + (four - r * {ow}u) * 2u + i % 2u;",
                divided("four", ow, columns),
            )
        } else {
            format!("let r = {}; return r * WIDTH + i - r * {ow}u;", divided("i", ow, columns))
        };
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
            (true, false) => {
                let zero = if columns.is_multiple_of(4) { "vec4<f32>()" } else { "0.0" };
                store_row("y", "group.z * ROWS + m", columns, |z| format!("max({z} + b[m], {zero})"))
            }
            (false, _) => store_row("y", "group.z * ROWS + m", columns, str::to_owned),
        };
        let plane = height * width;
        let base = if forward { format!("* {}u", channels * taps) } else { format!("* {taps}u + {}u", taps - 1) };
        let declarations = format!(
            "const ROWS = {rows}u;
const COLUMNS = {columns}u;
const WIDTH = {width}u;
fn place(i: u32) -> u32 {{ {place} }}
fn x_base(i: u32) -> u32 {{ return place(min(i, COLUMNS - 1u)); }}
fn w_base(i: u32) -> u32 {{ return min(i, ROWS - 1u) {base}; }}
fn store(group: vec3<u32>, m: u32, four: u32, value: vec4<f32>) {{
  {store}
}}"
        );
        // A row of the kernel at once, but for large ones; turned around on the way back.
        let (turns, columns_loop) = match kernel {
            2..=5 => (kernel, String::new()),
            _ => (1, format!("for (var kx = 0u; kx < {kernel}u; kx++) {{")),
        };
        let kx = if turns == 1 { "kx" } else { "0u" };
        let (weights, sign) = if forward {
            (format!("(c * {kernel}u + ky) * {kernel}u + {kx}"), '+')
        } else {
            (format!("c * {}u - ky * {kernel}u - {kx}", rows * taps), '-')
        };
        let loops = format!(
            "for (var c = 0u; c < {channels}u; c++) {{
  for (var ky = 0u; ky < {kernel}u; ky++) {{
  {columns_loop}
    let w_at = {weights};
    let x_at = (group.z * {channels}u + c) * {plane}u + ky * WIDTH + {kx};"
        );
        let terms: Vec<_> = (0..turns).map(|i| [format!("w_at {sign} {i}u"), format!("x_at + {i}u")]).collect();
        Product {
            tile: self.tile,
            declarations: &declarations,
            rows: "ROWS",
            a: Operand { name: "w", fours: false, ones: None },
            b: Operand { name: "x", fours: false, ones: None },
            loops: &loops,
            terms: &terms,
        }
        .text()
    }
}

/// The gradient by the sums from that by the output, within its margin.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Spread {
    s: Conv,
    margin: usize,
}

impl Program for Spread {
    fn interface(&self) -> Interface {
        let output = if self.s.pool { ("source", "u32") } else { ("y", "f32") };
        Interface { read: vec![("dy", "f32"), output], written: vec![("dz", "f32")], numbers: false }
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
      let at = (group.y * CO + plane) * OH * OW + r / 2u * OW + c / 2u;
      if (source[at] == r % 2u * 2u + c % 2u) { value = dy[at]; }
    }"
        } else {
            "let at = (group.y * CO + plane) * OH * OW + r * OW + c;
    if (y[at] > 0.0) { value = dy[at]; }"
        };
        format!(
            "const CO = {}u;
const OH = {oh}u;
const OW = {ow}u;
@compute @workgroup_size({EACH})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {{
  let i = group.x * {EACH}u + thread;
  if (i >= {size}u) {{ return; }}
  let plane = {plane};
  let within = i - plane * {}u;
  let row = {row};
  // Wraps around in the margin, and is then too large.
  let r = row - {margin}u;
  let c = within - row * {columns}u - {margin}u;
  var value = 0.0;
  if (r < {sums_h}u && c < {sums_w}u) {{
    {value}
  }}
  dz[group.y * {size}u + i] = value;
}}
",
            self.s.co,
            rows * columns,
            plane = divided("i", rows * columns, size),
            row = divided("within", columns, rows * columns),
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
        Interface { read: vec![("x", "f32"), ("dz", "f32")], written: vec![("sums", "vec4<f32>")], numbers: true }
    }

    fn threads(&self) -> u32 {
        THREADS
    }

    fn text(&self) -> String {
        let Conv { ci, co, h, w, kernel, .. } = self.s;
        let ([sums_h, sums_w], taps, margin) = (self.s.sums(), kernel * kernel, self.margin);
        let (terms, plane) = (ci * taps, h * w);
        let (z_width, z_plane) = (sums_w + 2 * margin, (sums_h + 2 * margin) * (sums_w + 2 * margin));
        let store = store_row("sums", "group.z * ROWS + m", self.s.columns(), str::to_owned);
        let channel = divided("i", taps, terms);
        let row = divided("tap", kernel, taps);
        let declarations = format!(
            "const ROWS = {co}u;
fn dz_base(i: u32) -> u32 {{ return min(i, ROWS - 1u) * {z_plane}u; }}
fn x_base(index: u32) -> u32 {{
  let i = min(index, {terms}u - 1u);
  let channel = {channel};
  let tap = i - channel * {taps}u;
  let row = {row};
  return channel * {plane}u + row * {w}u + tap - row * {kernel}u;
}}
fn store(group: vec3<u32>, m: u32, four: u32, value: vec4<f32>) {{
  {store}
}}"
        );
        let turns = unrolled(sums_w);
        let loops = format!(
            "for (var image = group.z; image < numbers[0].x; image += numbers[0].y) {{
  for (var oy = 0u; oy < {sums_h}u; oy++) {{
  for (var ox = 0u; ox < {sums_w}u; ox += {turns}u) {{
    let z_at = image * ROWS * {z_plane}u + (oy + {margin}u) * {z_width}u + ox + {margin}u;
    let x_at = image * {}u + oy * {w}u + ox;",
            ci * plane,
        );
        let each: Vec<_> = (0..turns).map(|i| [format!("z_at + {i}u"), format!("x_at + {i}u")]).collect();
        Product {
            tile: self.tile,
            declarations: &declarations,
            rows: "ROWS",
            a: Operand { name: "dz", fours: false, ones: None },
            b: Operand { name: "x", fours: false, ones: Some(terms) },
            loops: &loops,
            terms: &each,
        }
        .text()
    }
}

/// The sums of the parts, the last column apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct SumParts;

impl Program for SumParts {
    fn interface(&self) -> Interface {
        Interface { read: vec![("sums", "f32")], written: vec![("dw", "f32"), ("db", "f32")], numbers: true }
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
  let terms = numbers[0].z;
  let columns = numbers[0].w;
  if (id.x >= rows * (terms + 1u)) {{ return; }}
  let row = id.x / (terms + 1u);
  let term = id.x - row * (terms + 1u);
  var sum = 0.0;
  for (var part = 0u; part < parts; part++) {{ sum += sums[(part * rows + row) * columns + term]; }}
  if (term == terms) {{ db[row] = sum; }} else {{ dw[row * terms + term] = sum; }}
}}
"
        )
    }
}
