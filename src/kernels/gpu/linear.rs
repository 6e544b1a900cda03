//! A linear layer, with ReLU where wanted, as products.

use burn::backend::wgpu::CubeTensor;

use super::launch::{EACH, Interface, Program, bits, empty, launch};
use super::product::{Operand, Product, THREADS, Tile, element, store_row, unrolled};

/// Workgroups that a product is given where its sums are long.
const GROUPS: usize = 128;
/// Terms of a sum that are worth a workgroup of their own.
const TERMS_MIN: usize = 128;

/// A linear layer's shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Linear {
    /// Rows.
    pub n: usize,
    pub inputs: usize,
    pub outputs: usize,
}

/// `x w + b`, through ReLU where `relu`.
pub fn forward(s: &Linear, x: &CubeTensor, w: &CubeTensor, b: &CubeTensor, relu: bool) -> CubeTensor {
    let tile = Tile::of(s.n, s.outputs);
    let [down, across] = tile.groups(s.n, s.outputs);
    // Few sums, each of thousands of terms: in parts, to have something for every core.
    let parts = (GROUPS / (down * across)).clamp(1, s.inputs.div_ceil(TERMS_MIN));
    let part = s.inputs.div_ceil(parts).next_multiple_of(unrolled(s.inputs));
    let parts = s.inputs.div_ceil(part);
    let sums = empty(x, [parts, s.n, s.outputs]);
    let program = Multiply { inputs: s.inputs, outputs: s.outputs, tile, what: What::Forward };
    launch(program, [across, down, parts], &[x, w], &[&sums], &[bits(s.n), bits(part)]);
    let y = empty(x, [s.n, s.outputs]);
    let numbers = [bits(parts), bits(s.n * s.outputs), bits(s.outputs)];
    launch(AddBias { relu }, [(s.n * s.outputs).div_ceil(EACH), 1, 1], &[&sums, b], &[&y], &numbers);
    y
}

/// The gradient by `x w + b` from that by its ReLU `y`.
pub fn through_relu(y: &CubeTensor, dy: &CubeTensor) -> CubeTensor {
    let count = y.meta.shape().num_elements();
    let dz = empty(y, y.meta.shape().clone());
    launch(Relu, [count.div_ceil(EACH), 1, 1], &[y, dy], &[&dz], &[bits(count)]);
    dz
}

/// The gradient by the input for that by `x w + b`.
pub fn by_input(s: &Linear, w: &CubeTensor, dz: &CubeTensor) -> CubeTensor {
    let dx = empty(w, [s.n, s.inputs]);
    let tile = Tile::of(s.n, s.inputs);
    let [down, across] = tile.groups(s.n, s.inputs);
    let program = Multiply { inputs: s.inputs, outputs: s.outputs, tile, what: What::ByInput };
    launch(program, [across, down, 1], &[dz, w], &[&dx], &[bits(s.n)]);
    dx
}

/// The gradients by weights and bias for that by `x w + b`.
pub fn by_weights(s: &Linear, x: &CubeTensor, dz: &CubeTensor) -> [CubeTensor; 2] {
    let (dw, db) = (empty(x, [s.inputs, s.outputs]), empty(x, [s.outputs]));
    let tile = Tile::of(s.inputs + 1, s.outputs);
    let [down, across] = tile.groups(s.inputs + 1, s.outputs);
    let program = Multiply { inputs: s.inputs, outputs: s.outputs, tile, what: What::ByWeights };
    launch(program, [across, down, 1], &[x, dz], &[&dw, &db], &[bits(s.n)]);
    [dw, db]
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum What {
    /// Sums of a part of the terms.
    Forward,
    ByInput,
    /// With a row of ones under `x`'s columns, whose sums are the gradient by the bias.
    ByWeights,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Multiply {
    inputs: usize,
    outputs: usize,
    tile: Tile,
    what: What,
}

impl Program for Multiply {
    fn interface(&self) -> Interface {
        let (inputs, outputs) = (element(self.inputs), element(self.outputs));
        let (read, written) = match self.what {
            What::Forward => (vec![("x", "f32"), ("w", outputs)], vec![("sums", outputs)]),
            What::ByInput => (vec![("dz", "f32"), ("w", "f32")], vec![("dx", inputs)]),
            What::ByWeights => (vec![("x", inputs), ("dz", outputs)], vec![("dw", outputs), ("db", outputs)]),
        };
        Interface { read, written, numbers: true }
    }

    fn threads(&self) -> u32 {
        THREADS
    }

    fn text(&self) -> String {
        let Self { inputs, outputs, tile, what } = *self;
        let plain = |name| Operand { name, fours: false, ones: None };
        let row = |name, columns: usize| Operand { name, fours: columns.is_multiple_of(4), ones: None };
        // Rows of `columns`, one after another, of which each is a row or column of the operand.
        let along = |name: &str, end: &str, columns: usize| {
            format!("fn {name}_base(i: u32) -> u32 {{ return min(i, {end} - 1u) * {columns}u; }}\n")
        };
        // The same of which each is a term.
        let across = |name: &str, columns: usize| {
            let last = if columns.is_multiple_of(4) { columns / 4 - 1 } else { columns - 1 };
            format!("fn {name}_base(i: u32) -> u32 {{ return min(i, {last}u); }}\n")
        };
        let stride = |columns: usize| if columns.is_multiple_of(4) { columns / 4 } else { columns };
        let (inputs_end, outputs_end) = (format!("{inputs}u"), format!("{outputs}u"));
        // How many terms a turn has, the range of `k`, what is to be added to the bases for it, and so on.
        let (turns, range, [a_stride, b_stride], [a, b], bases, store) = match what {
            What::Forward => (
                unrolled(inputs),
                ["group.z * numbers[0].y", &format!("min((group.z + 1u) * numbers[0].y, {inputs_end})")],
                [1, stride(outputs)],
                [plain("x"), row("w", outputs)],
                along("x", "numbers[0].x", inputs) + &across("w", outputs),
                store_row("sums", "group.z * numbers[0].x + m", outputs, str::to_owned),
            ),
            What::ByInput => (
                unrolled(outputs),
                ["0u", &outputs_end],
                [1, 1],
                [plain("dz"), plain("w")],
                along("dz", "numbers[0].x", outputs) + &along("w", &inputs_end, outputs),
                store_row("dx", "m", inputs, str::to_owned),
            ),
            What::ByWeights => (
                1,
                ["0u", "numbers[0].x"],
                [stride(inputs), stride(outputs)],
                [Operand { ones: Some(inputs), ..row("x", inputs) }, row("dz", outputs)],
                across("x", inputs) + &across("dz", outputs),
                format!(
                    "if (m < {inputs_end}) {{ {} }} else {{ {} }}",
                    store_row("dw", "m", outputs, str::to_owned),
                    store_row("db", "0u", outputs, str::to_owned),
                ),
            ),
        };
        let rows = if what == What::ByWeights { format!("{}u", inputs + 1) } else { "numbers[0].x".into() };
        let declarations = format!(
            "{bases}fn store(group: vec3<u32>, m: u32, four: u32, value: vec4<f32>) {{
  {store}
}}"
        );
        let [from, to] = range;
        let loops = format!("let k_end = {to};\n  for (var k = {from}; k < k_end; k += {turns}u) {{");
        let terms: Vec<_> =
            (0..turns).map(|i| [a_stride, b_stride].map(|stride| format!("(k + {i}u) * {stride}u"))).collect();
        Product { tile, declarations: &declarations, rows: &rows, a, b, loops: &loops, terms: &terms }.text()
    }
}

/// The sums of the parts and the bias.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct AddBias {
    relu: bool,
}

impl Program for AddBias {
    fn interface(&self) -> Interface {
        Interface { read: vec![("sums", "f32"), ("b", "f32")], written: vec![("y", "f32")], numbers: true }
    }

    fn threads(&self) -> u32 {
        EACH as u32
    }

    fn text(&self) -> String {
        let value = if self.relu { "max(sum, 0.0)" } else { "sum" };
        format!(
            "@compute @workgroup_size({EACH})
fn main(@builtin(global_invocation_id) id: vec3<u32>) {{
  let count = numbers[0].y;
  if (id.x >= count) {{ return; }}
  var sum = b[id.x % numbers[0].z];
  for (var part = 0u; part < numbers[0].x; part++) {{ sum += sums[part * count + id.x]; }}
  y[id.x] = {value};
}}
"
        )
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Relu;

impl Program for Relu {
    fn interface(&self) -> Interface {
        Interface { read: vec![("y", "f32"), ("dy", "f32")], written: vec![("dz", "f32")], numbers: true }
    }

    fn threads(&self) -> u32 {
        EACH as u32
    }

    fn text(&self) -> String {
        format!(
            "@compute @workgroup_size({EACH})
fn main(@builtin(global_invocation_id) id: vec3<u32>) {{
  if (id.x >= numbers[0].x) {{ return; }}
  dz[id.x] = select(0.0, dy[id.x], y[id.x] > 0.0);
}}
"
        )
    }
}
