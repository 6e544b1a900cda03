//! The product of two matrices, of which each kernel says where its elements are.
//!
//! A workgroup of 64 threads computes a tile of the product. Sixteen columns of `A` and rows of `B` at
//! a time are put into workgroup memory; each thread then keeps up to 8×8 sums in registers, so that a
//! number that is read takes part in up to eight multiplications. No subgroups, no atomics, at most
//! 11 KiB of workgroup memory: what every WebGPU device has.

use std::fmt::Write as _;

/// Threads of a workgroup.
pub const THREADS: u32 = 64;
/// Terms of the sums that are put into workgroup memory at a time; divides [`THREADS`].
const DEPTH: usize = 16;
const LANES: [&str; 4] = ["x", "y", "z", "w"];

/// The tile of a workgroup: `4·down·rows × 4·across·columns`, where a thread has `4·rows × 4·columns`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tile {
    rows: usize,
    columns: usize,
    down: usize,
    across: usize,
}

/// For large products, for flat ones, and for small ones.
const TILES: [Tile; 4] = [
    Tile { rows: 2, columns: 2, down: 8, across: 8 },
    Tile { rows: 2, columns: 2, down: 4, across: 16 },
    Tile { rows: 1, columns: 2, down: 4, across: 16 },
    Tile { rows: 1, columns: 1, down: 8, across: 8 },
];

impl Tile {
    /// The tile that wastes least on a product of `m × n`: what sticks out is computed in vain, and the
    /// smaller a thread's part, the more often the same numbers are read.
    pub fn of(m: usize, n: usize) -> Self {
        let cost = |tile: &Self| {
            let [rows, columns] = tile.groups(m, n);
            let area = rows * columns * tile.height() * tile.width();
            area * (4 + 4 / tile.rows + 4 / tile.columns)
        };
        TILES.into_iter().min_by_key(cost).expect("there are some")
    }

    /// Workgroups down and across for a product of `m × n`.
    pub fn groups(&self, m: usize, n: usize) -> [usize; 2] {
        [m.div_ceil(self.height()), n.div_ceil(self.width())]
    }

    /// A quarter of the columns.
    pub fn width_in_fours(&self) -> usize {
        self.columns * self.across
    }

    fn height(&self) -> usize {
        4 * self.rows * self.down
    }

    fn width(&self) -> usize {
        4 * self.columns * self.across
    }
}

/// Which of an operand's elements lie beside one another, and are read by threads beside one another.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Beside {
    /// Those of one sum.
    Terms,
    /// Those of one term: a column of `A`, a row of `B`.
    Sums,
}

/// Reads four elements: statements that set `value: vec4<f32>`, which is zero before, from the term
/// `k` (below the range's end) and `four`, a quarter of the first one's row or column.
pub struct Operand<'a> {
    pub beside: Beside,
    pub load: &'a str,
}

/// A product in WGSL.
pub struct Product<'a> {
    pub tile: Tile,
    /// Declarations, among them `fn store(group: vec3<u32>, m: u32, four: u32, value: vec4<f32>)`, which
    /// takes four elements of row `m`, from column `4·four` on, some of which may be out of range.
    pub declarations: &'a str,
    /// Rows of the product, an expression.
    pub rows: &'a str,
    /// Statements before anything else; `group` and `thread` are defined, and so are `row` and `column`,
    /// a quarter of the tile's first ones.
    pub prepare: &'a str,
    /// What the sums are repeated over, as the head of a statement; or empty.
    pub repeat: &'a str,
    /// First term and the one after the last, expressions.
    pub range: [&'a str; 2],
    pub a: Operand<'a>,
    pub b: Operand<'a>,
}

impl Product<'_> {
    /// The program's text.
    pub fn text(&self) -> String {
        let Tile { rows, columns, down, across } = self.tile;
        let (height, width) = (rows * down, columns * across); // in fours
        let sums = || (0..4 * rows).flat_map(move |row| (0..columns).map(move |column| (row, column)));
        let (mut zero, mut multiply) = (String::new(), String::new());
        for (row, column) in sums() {
            let _ = writeln!(zero, "  var s{row}_{column} = vec4<f32>();");
        }
        for row in 0..rows {
            let _ = writeln!(multiply, "        let a{row} = a_tile[k * A_WIDTH + down + {}u];", row * down);
        }
        for column in 0..columns {
            let _ = writeln!(multiply, "        let b{column} = b_tile[k * B_WIDTH + across + {}u];", column * across);
        }
        for (row, column) in sums() {
            let (a, lane) = (row / 4, LANES[row % 4]);
            let _ = writeln!(multiply, "        s{row}_{column} += a{a}.{lane} * b{column};");
        }
        let list: Vec<_> = sums().map(|(row, column)| format!("s{row}_{column}")).collect();
        let (list, count) = (list.join(", "), list.len());
        let Self { declarations, prepare, repeat, range: [from, to], rows: m_end, .. } = self;
        let load_a = fill("a", &self.a, height);
        let load_b = fill("b", &self.b, width);
        // One more than is used, so that writing down a column does not meet the same memory bank.
        let (a_width, b_width) = (height + 1, width + 1);
        format!(
            "{declarations}
const A_WIDTH = {a_width}u;
const B_WIDTH = {b_width}u;
var<workgroup> a_tile: array<vec4<f32>, {DEPTH} * A_WIDTH>;
var<workgroup> b_tile: array<vec4<f32>, {DEPTH} * B_WIDTH>;

@compute @workgroup_size({THREADS})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {{
  let row = group.y * {height}u;
  let column = group.x * {width}u;
  let down = thread / {across}u;
  let across = thread % {across}u;
{prepare}
{zero}
  {repeat} {{
    let k_end = {to};
    for (var first = {from}; first < k_end; first += {DEPTH}u) {{
{load_a}
{load_b}
      workgroupBarrier();
      for (var k = 0u; k < {DEPTH}u; k++) {{
{multiply}
      }}
      workgroupBarrier();
    }}
  }}
  // In a loop, since the browser compiles what `store` does once for it, and not for each sum.
  let m_end = {m_end};
  var sums = array<vec4<f32>, {count}>({list});
  for (var i = 0u; i < {count}u; i++) {{
    let r = i / {columns}u;
    let m = 4u * (row + down + r / 4u * {down}u) + r % 4u;
    if (m < m_end) {{ store(group, m, column + across + i % {columns}u * {across}u, sums[i]); }}
  }}
}}
"
        )
    }
}

/// Statements that fill an operand's tile, `width` fours wide.
fn fill(name: &str, operand: &Operand, width: usize) -> String {
    let (upper, corner) = (name.to_uppercase(), if name == "a" { "row" } else { "column" });
    let threads = THREADS as usize;
    let load = operand.load;
    match operand.beside {
        Beside::Terms => format!(
            "      {{
        let term = thread % {DEPTH}u;
        let k = first + term;
        for (var i = thread / {DEPTH}u; i < {width}u; i += {}u) {{
          let four = {corner} + i;
          var value = vec4<f32>();
          if (k < k_end) {{ {load} }}
          {name}_tile[term * {upper}_WIDTH + i] = value;
        }}
      }}",
            threads / DEPTH
        ),
        Beside::Sums => format!(
            "      {{
        let i = thread % {width}u;
        let four = {corner} + i;
        for (var term = thread / {width}u; term < {DEPTH}u; term += {}u) {{
          let k = first + term;
          var value = vec4<f32>();
          if (k < k_end) {{ {load} }}
          {name}_tile[term * {upper}_WIDTH + i] = value;
        }}
      }}",
            threads / width
        ),
    }
}
