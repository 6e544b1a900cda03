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
/// - `targets`: `[B, classes]`
pub fn forward(logits: &CubeTensor, targets: &CubeTensor) -> [CubeTensor; 2] {
    let [n, classes] = logits.meta.shape().dims();
    let (loss, gradient) = (empty(logits, [1]), empty(logits, [n, classes]));
    launch(CrossEntropy, [1, 1, 1], &[logits, targets], &[&loss, &gradient], &[bits(n), bits(classes)]);
    [loss, gradient]
}

/// One value, `[1]`, and its gradient.
///
/// # Shapes
/// - `x`: `[1, classes]`, `class` in `0..classes`
pub fn pick(x: &CubeTensor, class: usize) -> [CubeTensor; 2] {
    let count = x.meta.shape().num_elements();
    let (value, gradient) = (empty(x, [1]), empty(x, x.meta.shape().clone()));
    launch(Pick, [1, 1, 1], &[x], &[&value, &gradient], &[bits(count), bits(class)]);
    [value, gradient]
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
            read: vec![("logits", "f32"), ("targets", "f32")],
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
    var most = logits[first];
    for (var i = 1u; i < classes; i++) {{ most = max(most, logits[first + i]); }}
    var total = 0.0;
    for (var i = 0u; i < classes; i++) {{ total += exp(logits[first + i] - most); }}
    var weight = 0.0;
    for (var i = 0u; i < classes; i++) {{
      weight += targets[first + i];
      sum += targets[first + i] * (log(total) + most - logits[first + i]);
    }}
    for (var i = 0u; i < classes; i++) {{
      let probability = exp(logits[first + i] - most) / total;
      gradient[first + i] = (probability * weight - targets[first + i]) / f32(rows);
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

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Pick;

impl Program for Pick {
    fn interface(&self) -> Interface {
        Interface { read: vec![("x", "f32")], written: vec![("value", "f32"), ("gradient", "f32")], numbers: true }
    }

    fn threads(&self) -> u32 {
        THREADS
    }

    fn text(&self) -> String {
        format!(
            "@compute @workgroup_size({THREADS})
fn main(@builtin(local_invocation_index) thread: u32) {{
  let picked = numbers[0].y;
  for (var i = thread; i < numbers[0].x; i += {THREADS}u) {{ gradient[i] = select(0.0, 1.0, i == picked); }}
  if (thread == 0u) {{ value[0] = x[picked]; }}
}}
"
        )
    }
}
