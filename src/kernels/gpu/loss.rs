//! Mean cross-entropy and its gradient by the logits, in one pass over them.

use burn::backend::wgpu::CubeTensor;

use super::launch::{Interface, Program, bits, empty, launch};

/// Threads of the one workgroup, each of which does every so many rows.
const THREADS: u32 = 64;
/// Threads of a workgroup where each does an element.
const EACH: u32 = 256;

/// The mean loss, `[1]`, and its gradient by the logits.
///
/// # Shapes
/// - `logits`: `[B, classes]`
/// - `labels`: `[B]` i32
pub fn forward(logits: &CubeTensor, labels: &CubeTensor) -> [CubeTensor; 2] {
    let [n, classes] = logits.meta.shape().dims();
    let (loss, gradient) = (empty(logits, [1]), empty(logits, [n, classes]));
    launch(CrossEntropy, [1, 1, 1], &[logits, labels], &[&loss, &gradient], &[bits(n), bits(classes)]);
    [loss, gradient]
}

/// `gradient` times a number that is on the device.
pub fn scaled(gradient: &CubeTensor, factor: &CubeTensor) -> CubeTensor {
    let count = gradient.meta.shape().num_elements();
    let out = empty(gradient, gradient.meta.shape().clone());
    launch(Scale, [count.div_ceil(EACH as usize), 1, 1], &[gradient, factor], &[&out], &[bits(count)]);
    out
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct CrossEntropy;

impl Program for CrossEntropy {
    fn interface(&self) -> Interface {
        Interface {
            read: vec![("logits", "f32"), ("labels", "i32")],
            written: vec![("loss", "f32"), ("gradient", "f32")],
            numbers: true,
        }
    }

    fn threads(&self) -> u32 {
        THREADS
    }

    fn text(&self) -> String {
        format!(
            "var<workgroup> losses: array<f32, {THREADS}>;
@compute @workgroup_size({THREADS})
fn main(@builtin(local_invocation_index) thread: u32) {{
  let rows = numbers[0].x;
  let classes = numbers[0].y;
  var sum = 0.0;
  for (var row = thread; row < rows; row += {THREADS}u) {{
    let first = row * classes;
    let label = u32(labels[row]);
    var most = logits[first];
    for (var i = 1u; i < classes; i++) {{ most = max(most, logits[first + i]); }}
    var total = 0.0;
    for (var i = 0u; i < classes; i++) {{ total += exp(logits[first + i] - most); }}
    sum += log(total) + most - logits[first + label];
    for (var i = 0u; i < classes; i++) {{
      let probability = exp(logits[first + i] - most) / total;
      gradient[first + i] = (probability - select(0.0, 1.0, i == label)) / f32(rows);
    }}
  }}
  losses[thread] = sum;
  workgroupBarrier();
  if (thread == 0u) {{
    for (var i = 1u; i < {THREADS}u; i++) {{ sum += losses[i]; }}
    loss[0] = sum / f32(rows);
  }}
}}
"
        )
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Scale;

impl Program for Scale {
    fn interface(&self) -> Interface {
        Interface { read: vec![("values", "f32"), ("factor", "f32")], written: vec![("out", "f32")], numbers: true }
    }

    fn threads(&self) -> u32 {
        EACH
    }

    fn text(&self) -> String {
        format!(
            "@compute @workgroup_size({EACH})
fn main(@builtin(global_invocation_id) id: vec3<u32>) {{
  if (id.x >= numbers[0].x) {{ return; }}
  out[id.x] = values[id.x] * factor[0];
}}
"
        )
    }
}
