//! A linear layer, with ReLU where wanted, as products. The shape is given at the launch, so that all
//! layers and batches share their programs; only the tile may differ.

use burn::backend::wgpu::CubeTensor;

use super::conv::each_of_four;
use super::launch::{Interface, Program, bits, empty, launch};
use super::product::{Beside, Operand, Product, THREADS, Tile};

/// Threads of a workgroup where each does an element.
const EACH: usize = 256;
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
    let part = s.inputs.div_ceil(parts).next_multiple_of(16);
    let parts = s.inputs.div_ceil(part);
    let sums = empty(x, [parts, s.n, s.outputs]);
    let numbers = [bits(s.n), bits(s.inputs), bits(s.outputs), bits(part)];
    launch(Multiply { tile, what: What::Forward }, [across, down, parts], &[x, w], &[&sums], &numbers);
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
    let numbers = [bits(s.n), bits(s.inputs), bits(s.outputs)];
    launch(Multiply { tile, what: What::ByInput }, [across, down, 1], &[dz, w], &[&dx], &numbers);
    dx
}

/// The gradients by weights and bias for that by `x w + b`.
pub fn by_weights(s: &Linear, x: &CubeTensor, dz: &CubeTensor) -> [CubeTensor; 2] {
    let (dw, db) = (empty(x, [s.inputs, s.outputs]), empty(x, [s.outputs]));
    let tile = Tile::of(s.inputs + 1, s.outputs);
    let [down, across] = tile.groups(s.inputs + 1, s.outputs);
    let numbers = [bits(s.n), bits(s.inputs), bits(s.outputs)];
    launch(Multiply { tile, what: What::ByWeights }, [across, down, 1], &[x, dz], &[&dw, &db], &numbers);
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
    tile: Tile,
    what: What,
}

const FOUR: &str = "vec4(4u * four) + vec4(0u, 1u, 2u, 3u)";

impl Program for Multiply {
    fn interface(&self) -> Interface {
        let (read, written): (&[_], &[_]) = match self.what {
            What::Forward => (&[("x", "f32"), ("w", "f32")], &[("sums", "f32")]),
            What::ByInput => (&[("dz", "f32"), ("w", "f32")], &[("dx", "f32")]),
            What::ByWeights => (&[("x", "f32"), ("dz", "f32")], &[("dw", "f32"), ("db", "f32")]),
        };
        Interface { read, written, numbers: true }
    }

    fn threads(&self) -> u32 {
        THREADS
    }

    fn text(&self) -> String {
        let (rows, range, a, b, store) = match self.what {
            What::Forward => (
                "numbers[0].x",
                ["group.z * numbers[0].w", "min(group.z * numbers[0].w + numbers[0].w, numbers[0].y)"],
                (Beside::Terms, "x", "min(FOUR, vec4(numbers[0].x - 1u)) * numbers[0].y + k"),
                (Beside::Sums, "w", "k * numbers[0].z + min(FOUR, vec4(numbers[0].z - 1u))"),
                each_of_four("sums[(group.z * numbers[0].x + m) * numbers[0].z + n] = VALUE;", "numbers[0].z"),
            ),
            What::ByInput => (
                "numbers[0].x",
                ["0u", "numbers[0].z"],
                (Beside::Terms, "dz", "min(FOUR, vec4(numbers[0].x - 1u)) * numbers[0].z + k"),
                (Beside::Terms, "w", "min(FOUR, vec4(numbers[0].y - 1u)) * numbers[0].z + k"),
                each_of_four("dx[m * numbers[0].y + n] = VALUE;", "numbers[0].y"),
            ),
            What::ByWeights => (
                "numbers[0].y + 1u",
                ["0u", "numbers[0].x"],
                (Beside::Sums, "x", "k * numbers[0].y + min(FOUR, vec4(numbers[0].y - 1u))"),
                (Beside::Sums, "dz", "k * numbers[0].z + min(FOUR, vec4(numbers[0].z - 1u))"),
                each_of_four(
                    "if (m < numbers[0].y) { dw[m * numbers[0].z + n] = VALUE; } else { db[n] = VALUE; }",
                    "numbers[0].z",
                ),
            ),
        };
        let load = |(_, from, at): (Beside, &str, &str)| {
            let at = at.replace("FOUR", FOUR);
            format!("let at = {at}; value = vec4({from}[at.x], {from}[at.y], {from}[at.z], {from}[at.w]);")
        };
        let mut load_a = load(a);
        if self.what == What::ByWeights {
            load_a += &format!(" value = select(value, vec4(1.0), {FOUR} == vec4(numbers[0].y));");
        }
        Product {
            tile: self.tile,
            declarations: &format!("fn store(group: vec3<u32>, m: u32, four: u32, value: vec4<f32>) {{{store}}}"),
            rows,
            prepare: "",
            repeat: "",
            range,
            a: Operand { beside: a.0, load: &load_a },
            b: Operand { beside: b.0, load: &load(b) },
        }
        .text()
    }
}

/// The sums of the parts and the bias.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct AddBias {
    relu: bool,
}

impl Program for AddBias {
    fn interface(&self) -> Interface {
        Interface { read: &[("sums", "f32"), ("b", "f32")], written: &[("y", "f32")], numbers: true }
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
        Interface { read: &[("y", "f32"), ("dy", "f32")], written: &[("dz", "f32")], numbers: true }
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
