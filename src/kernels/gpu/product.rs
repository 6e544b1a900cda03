//! The product of two matrices, of which each kernel says where its elements are.
//!
//! A thread keeps up to 8×8 sums in registers, so that a number that is read takes part in up to eight
//! multiplications; those of a workgroup compute a tile of the product and find in the cache what
//! others have read. There is no workgroup memory and therefore no barrier: on SwiftShader, kernels with
//! tiles in workgroup memory ran slower and took seven times as long to compile
//! (`docs/performance.md`). No subgroups and no atomics either.

use std::fmt::Write as _;

/// Threads of a workgroup.
pub const THREADS: u32 = 64;
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
const TILES: [Tile; 5] = [
    Tile { rows: 2, columns: 2, down: 8, across: 8 },
    Tile { rows: 2, columns: 2, down: 4, across: 16 },
    Tile { rows: 2, columns: 2, down: 2, across: 32 },
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
            area * (2 + 4 / tile.rows + 4 / tile.columns)
        };
        TILES.into_iter().min_by_key(cost).expect("there are some")
    }

    /// Workgroups down and across for a product of `m × n`.
    pub fn groups(&self, m: usize, n: usize) -> [usize; 2] {
        [m.div_ceil(self.height()), n.div_ceil(self.width())]
    }

    pub fn height(&self) -> usize {
        4 * self.rows * self.down
    }

    fn width(&self) -> usize {
        4 * self.columns * self.across
    }
}

/// Rows of `A` or columns of `B`. The program declares `fn NAME_base(i: u32) -> u32`: where in the buffer
/// row or column `i` begins, for any `i`, also one that is out of range.
pub struct Operand {
    /// The buffer.
    pub name: &'static str,
    /// Whether the buffer is one of fours, of which each has a term of as many rows or columns; `i` counts
    /// fours then.
    pub fours: bool,
    /// The row or column of ones, where there is one.
    pub ones: Option<usize>,
}

/// A product in WGSL.
pub struct Product<'a> {
    pub tile: Tile,
    /// Declarations, among them those of the operands, and `fn store(group: vec3<u32>, m: u32, four: u32,
    /// value: vec4<f32>)`, which takes four elements of row `m`, from column `4·four` on, some of which may
    /// be out of range.
    pub declarations: &'a str,
    /// Rows of the product, an expression.
    pub rows: &'a str,
    pub a: Operand,
    pub b: Operand,
    /// The heads of the loops over the terms, and what follows from their variables; `group` is defined.
    pub loops: &'a str,
    /// The terms of a turn of the inner loop: what is to be added to the bases of `A` and `B`.
    pub terms: &'a [[String; 2]],
}

impl Product<'_> {
    /// The program's text.
    pub fn text(&self) -> String {
        let Tile { rows, columns, down, across } = self.tile;
        let Self { declarations, loops, rows: m_end, a, b, .. } = self;
        let sums: Vec<_> = (0..4 * rows).flat_map(|row| (0..columns).map(move |column| (row, column))).collect();
        let names: Vec<_> = sums.iter().map(|(row, column)| format!("s{row}_{column}")).collect();
        let mut bases = String::new();
        for row in 0..rows {
            bases += &a.base(&format!("a{row}"), &format!("row + {row}u"));
        }
        for column in 0..columns {
            bases += &b.base(&format!("b{column}"), &format!("column + {}u", column * across));
        }
        for name in &names {
            let _ = writeln!(bases, "  var {name} = vec4<f32>();");
        }
        let mut terms = String::new();
        for [a_at, b_at] in self.terms {
            let _ = writeln!(terms, "    {{\n      let a_at = {a_at};\n      let b_at = {b_at};");
            for column in 0..columns {
                terms += &b.read(&format!("b{column}"), "b_at");
            }
            for row in 0..rows {
                terms += &a.read(&format!("a{row}"), "a_at");
            }
            for ((row, column), name) in sums.iter().zip(&names) {
                let _ = writeln!(terms, "      {name} += a{}.{} * b{column};", row / 4, LANES[row % 4]);
            }
            terms += "    }\n";
        }
        let close = "}".repeat(loops.matches('{').count() - loops.matches('}').count());
        let (count, names) = (names.len(), names.join(", "));
        format!(
            "{declarations}
@compute @workgroup_size({THREADS})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {{
  let row = (group.y * {down}u + thread / {across}u) * {rows}u;
  let column = group.x * {}u + thread % {across}u;
{bases}
  {loops}
{terms}
  {close}
  // In a loop, since the browser compiles what `store` does once for it, and not for each sum.
  let m_end = {m_end};
  var sums = array<vec4<f32>, {count}>({names});
  for (var i = 0u; i < {count}u; i++) {{
    let m = 4u * row + i / {columns}u;
    if (m < m_end) {{ store(group, m, column + i % {columns}u * {across}u, sums[i]); }}
  }}
}}
",
            columns * across,
        )
    }
}

impl Operand {
    /// Statements that say where four rows or columns begin.
    fn base(&self, to: &str, four: &str) -> String {
        let name = self.name;
        let base = match self.fours {
            true => format!("{name}_base({four})"),
            false => {
                let lanes: Vec<_> = (0..4).map(|i| format!("{name}_base(4u * ({four}) + {i}u)")).collect();
                format!("vec4({})", lanes.join(", "))
            }
        };
        let ones = self.ones.map_or_else(String::new, |at| {
            format!("  let {to}_ones = 4u * ({four}) + vec4(0u, 1u, 2u, 3u) == vec4({at}u);\n")
        });
        format!("  let {to}_base = {base};\n{ones}")
    }

    /// Statements that read a term of four rows or columns.
    fn read(&self, to: &str, at: &str) -> String {
        let name = self.name;
        let (index, read) = match self.fours {
            true => (String::new(), format!("{name}[{to}_base + {at}]")),
            false => {
                let lanes = LANES.map(|lane| format!("{name}[{to}_at.{lane}]")).join(", ");
                (format!("      let {to}_at = {to}_base + {at};\n"), format!("vec4({lanes})"))
            }
        };
        let read = if self.ones.is_some() { format!("select({read}, vec4(1.0), {to}_ones)") } else { read };
        format!("{index}      let {to} = {read};\n")
    }
}

/// How many terms a turn of a loop of `count` does: some, so that the sums are not written to memory and
/// read again for each, where that is what becomes of them; not many, for a short text.
pub fn unrolled(count: usize) -> usize {
    [3, 4, 2].into_iter().find(|turns| count.is_multiple_of(*turns)).unwrap_or(1)
}

/// `value / divisor` in WGSL, for a value that stays below `limit`: as a product and a shift where that
/// is exact, since dividing is slow on every device, and not every compiler turns it into these.
pub fn divided(value: &str, divisor: usize, limit: usize) -> String {
    if divisor == 1 {
        return format!("({value})");
    }
    for shift in 0..32 {
        let factor = (1_u64 << shift) / divisor as u64 + 1;
        let excess = factor * divisor as u64 - (1 << shift);
        if excess * limit as u64 <= 1 << shift && factor * limit as u64 <= 1 << 32 {
            return format!("((({value}) * {factor}u) >> {shift}u)");
        }
    }
    format!("(({value}) / {divisor}u)")
}

/// Statements of `store` that write four elements of a row of `columns` to `name`: at once, where a row
/// is a number of fours and the buffer therefore one of them ([`element`]), else those that are in range.
pub fn store_row(name: &str, row: &str, columns: usize, value: impl Fn(&str) -> String) -> String {
    if columns.is_multiple_of(4) {
        let fours = columns / 4;
        return format!("if (four < {fours}u) {{ {name}[({row}) * {fours}u + four] = {}; }}", value("value"));
    }
    LANES
        .iter()
        .enumerate()
        .map(|(i, lane)| {
            let (n, value) = (format!("4u * four + {i}u"), value(&format!("value.{lane}")));
            format!("if ({n} < {columns}u) {{ {name}[({row}) * {columns}u + {n}] = {value}; }}\n  ")
        })
        .collect()
}

/// The element of a buffer of rows of `columns`, for [`store_row`].
pub fn element(columns: usize) -> &'static str {
    if columns.is_multiple_of(4) { "vec4<f32>" } else { "f32" }
}
