//! Digits drawn by the crate itself, for where no MNIST can be had.
//!
//! A skeleton of pen strokes → shaken control points → smooth curves → an elastic deformation and
//! an affine map → ink of random thickness and softness on a canvas → [`crate::ink`], the way that
//! MNIST's makers and the drawing pad take.
//!
//! # Source
//! For the elastic deformation: P. Y. Simard, D. Steinkraus, J. C. Platt, "Best practices for
//! convolutional neural networks applied to visual document analysis", ICDAR 2003.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "coordinates on a canvas of 64 pixels and grey levels held to 0..255"
)]

use super::augment::{affine, symmetric};
use super::skeletons::{DIGITS, Point, Variant};
use super::{CLASSES, Dataset, IMAGE_PIXELS, Purpose, Split, generator};
use crate::error::{Error, Result};
use crate::ink;
use rand::{Rng, RngExt};

/// Most images of a split: 235 MB of pixels is what a browser tab can still be asked for.
pub const MAX_COUNT: usize = 300_000;

/// Side of the canvas that a digit is drawn on.
const CANVAS: usize = 72;
/// Longer side of the pen's path on the canvas; what is left is margin for its thickness.
const PATH_SIDE: f32 = 46.0;
/// Points on the curve between two control points.
const CURVE_STEPS: usize = 6;
/// Nodes of the elastic deformation along each axis.
const WARP_NODES: usize = 4;

/// Makes a dataset of synthetic digits; equal counts and seeds give equal bytes everywhere.
///
/// Image i shows the digit i mod 10. The splits share no image.
///
/// # Errors
/// [`Error::ConfigInvalid`] when a count is 0 or above [`MAX_COUNT`].
pub fn generate(train_count: usize, test_count: usize, seed: u64) -> Result<Dataset> {
    let split = |field, count, number| {
        if count == 0 || count > MAX_COUNT {
            return Err(Error::ConfigInvalid { field, reason: format!("it is {count}; it must be 1 to {MAX_COUNT}") });
        }
        let mut images = Vec::with_capacity(count * IMAGE_PIXELS);
        let mut labels = Vec::with_capacity(count);
        for index in 0..count {
            let digit = index % CLASSES;
            // The number of the split in the high bits: a stream for each image of each split.
            let mut random = generator(Purpose::Synthesis, seed, number, index as u64);
            images.extend(draw(digit, &mut random)?);
            labels.push(digit as u8);
        }
        Split::new(images, labels, CLASSES)
    };
    let train = split("trainCount", train_count, 0)?;
    let test = split("testCount", test_count, 1)?;
    Ok(Dataset::measured("synthetic", "Synthetic digits", train, test))
}

/// One image of `digit`, `[28, 28]`.
fn draw(digit: usize, random: &mut impl Rng) -> Result<Vec<u8>> {
    let variants = DIGITS[digit];
    let variant = variants[random.random_range(0..variants.len() as u32) as usize];
    let mut paths = trace(variant, random);
    deform(&mut paths, random);
    fit_to_canvas(&mut paths);
    let canvas = paint(&paths, random);
    let image = ink::from_pixels(&canvas, CANVAS, CANVAS)?;
    // A pen of any thickness here leaves ink; a blank image is still an image.
    Ok(image.unwrap_or_else(|| vec![0; IMAGE_PIXELS]))
}

/// The strokes as fine polylines, their control points shaken.
fn trace(variant: Variant, random: &mut impl Rng) -> Vec<Vec<Point>> {
    let shake = 0.01 + 0.045 * random.random::<f32>();
    variant
        .iter()
        .map(|stroke| {
            let mut control: Vec<Point> = Vec::with_capacity(stroke.len());
            for (i, &point) in stroke.iter().enumerate() {
                // A corner is a point given twice; it has to stay one.
                if i > 0 && stroke[i - 1] == point {
                    control.push(control[i - 1]);
                } else {
                    let x = point.0 + symmetric(random, shake);
                    let y = point.1 + symmetric(random, shake);
                    control.push((x, y));
                }
            }
            curve(&control)
        })
        .collect()
}

/// A Catmull-Rom spline through the control points.
fn curve(control: &[Point]) -> Vec<Point> {
    let last = control.len() - 1;
    let mut points = vec![control[0]];
    for i in 0..last {
        let (from, to) = (control[i], control[i + 1]);
        if from == to {
            continue;
        }
        let before = control[i.saturating_sub(1)];
        let after = control[(i + 2).min(last)];
        for step in 1..=CURVE_STEPS {
            let t = step as f32 / CURVE_STEPS as f32;
            let at = |p0: f32, p1: f32, p2: f32, p3: f32| {
                let cubic = 3.0 * (p1 - p2) + p3 - p0;
                let square = 2.0 * p0 - 5.0 * p1 + 4.0 * p2 - p3;
                p1 + 0.5 * t * (p2 - p0 + t * (square + t * cubic))
            };
            points.push((at(before.0, from.0, to.0, after.0), at(before.1, from.1, to.1, after.1)));
        }
    }
    points
}

/// Bends the paths by a smooth random field, then rotates, slants and scales them.
fn deform(paths: &mut [Vec<Point>], random: &mut impl Rng) {
    let strength = 0.02 + 0.1 * random.random::<f32>();
    let mut field = [[(0.0, 0.0); WARP_NODES]; WARP_NODES];
    for node in field.iter_mut().flatten() {
        *node = (symmetric(random, strength), symmetric(random, strength));
    }
    // Which parts are large and which small: the loops of an 8, the head of a 2.
    let (swell_x, swell_y) = (symmetric(random, 0.4), symmetric(random, 0.55));
    // Most hands lean to the right (y goes down: a negative slant).
    let lean = -0.12 + symmetric(random, 0.33);
    let [[a, b], [c, d]] = affine(random, 0.12, 0.1, 0.28);
    for (x, y) in paths.iter_mut().flatten() {
        *x += swell_x * *x * (0.65 - *x);
        *y += swell_y * *y * (1.0 - *y);
        let (dx, dy) = displacement(&field, *x + 0.2, *y);
        let (bent_x, bent_y) = (*x + dx + lean * (*y + dy), *y + dy);
        *x = a * bent_x + b * bent_y;
        *y = c * bent_x + d * bent_y;
    }
}

/// The field between its nodes, which span 0..1 each way.
fn displacement(field: &[[Point; WARP_NODES]; WARP_NODES], x: f32, y: f32) -> Point {
    let place = |v: f32| {
        let scaled = v.clamp(0.0, 1.0) * (WARP_NODES - 1) as f32;
        let cell = (scaled as usize).min(WARP_NODES - 2);
        let t = scaled - cell as f32;
        (cell, t * t * (3.0 - 2.0 * t))
    };
    let ((column, right), (row, down)) = (place(x), place(y));
    let mix = |p: Point, q: Point, t: f32| (p.0 + (q.0 - p.0) * t, p.1 + (q.1 - p.1) * t);
    let upper = mix(field[row][column], field[row][column + 1], right);
    let lower = mix(field[row + 1][column], field[row + 1][column + 1], right);
    mix(upper, lower, down)
}

/// Scales the paths into the middle of the canvas.
fn fit_to_canvas(paths: &mut [Vec<Point>]) {
    let (mut low, mut high) = ((f32::MAX, f32::MAX), (f32::MIN, f32::MIN));
    for &(x, y) in paths.iter().flatten() {
        low = (low.0.min(x), low.1.min(y));
        high = (high.0.max(x), high.1.max(y));
    }
    let scale = PATH_SIDE / (high.0 - low.0).max(high.1 - low.1);
    let middle = (low.0.midpoint(high.0), low.1.midpoint(high.1));
    for (x, y) in paths.iter_mut().flatten() {
        *x = (*x - middle.0) * scale + CANVAS as f32 / 2.0;
        *y = (*y - middle.1) * scale + CANVAS as f32 / 2.0;
    }
}

/// Inks the paths: thickness changes along each stroke, and the edge is soft.
fn paint(paths: &[Vec<Point>], random: &mut impl Rng) -> Vec<u8> {
    // Two draws make middling pens more common than extreme ones; now and then it is a marker.
    let thickness = random.random::<f32>().midpoint(random.random());
    let marker = (random.random::<f32>() * 6.0 - 5.0).max(0.0);
    let radius = 1.5 + 3.8 * thickness + 3.5 * marker;
    let softness = 1.0 + 2.5 * random.random::<f32>();
    let mut canvas = vec![0; CANVAS * CANVAS];
    for path in paths {
        let first = radius * (1.0 + symmetric(random, 0.25));
        let last = radius * (1.0 + symmetric(random, 0.25));
        for (i, ends) in path.windows(2).enumerate() {
            let along = i as f32 / path.len() as f32;
            let radius = first + (last - first) * along;
            paint_segment(&mut canvas, ends[0], ends[1], radius, softness);
        }
    }
    canvas
}

/// Inks all pixels near a line, keeping what is darker.
fn paint_segment(canvas: &mut [u8], from: Point, to: Point, radius: f32, softness: f32) {
    let reach = radius + softness / 2.0 + 1.0;
    let range = |u: f32, v: f32| {
        let first = (u.min(v) - reach).max(0.0) as usize;
        let end = ((u.max(v) + reach).max(0.0) as usize + 1).min(CANVAS);
        first..end
    };
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let length_squared = (dx * dx + dy * dy).max(1e-12);
    for row in range(from.1, to.1) {
        for column in range(from.0, to.0) {
            let (x, y) = (column as f32 + 0.5 - from.0, row as f32 + 0.5 - from.1);
            let along = ((x * dx + y * dy) / length_squared).clamp(0.0, 1.0);
            let (away_x, away_y) = (x - along * dx, y - along * dy);
            let distance = (away_x * away_x + away_y * away_y).sqrt();
            let coverage = 0.5 + (radius - distance) / softness;
            let level = (coverage.clamp(0.0, 1.0) * 255.0).round() as u8;
            let pixel = &mut canvas[row * CANVAS + column];
            *pixel = level.max(*pixel);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::SplitName;

    #[test]
    fn a_seed_gives_its_images_again() {
        let first = generate(30, 10, 7).unwrap();
        assert_eq!(first, generate(30, 10, 7).unwrap());
        assert_ne!(first.train, generate(30, 10, 8).unwrap().train);
        // More images do not change those before them.
        let more = generate(50, 10, 7).unwrap();
        assert_eq!(first.train.images[..], more.train.images[..30 * 784]);
        // The splits are drawn apart.
        assert_ne!(first.train.images[..7840], first.test.images[..]);
    }

    #[test]
    fn labels_are_balanced_and_images_differ() {
        let dataset = generate(100, 10, 1).unwrap();
        assert_eq!(dataset.id, "synthetic");
        let statistics = dataset.statistics(SplitName::Train);
        assert_eq!(statistics.class_counts, [10; 10]);
        let mut images: Vec<_> = dataset.train.images.chunks(784).collect();
        images.sort_unstable();
        images.dedup();
        assert_eq!(images.len(), 100);
    }

    #[test]
    fn images_look_like_those_of_mnist() {
        let dataset = generate(2000, 10, 3).unwrap();
        // MNIST: 0.1307 and 0.3081.
        assert!((dataset.mean - 0.1307).abs() < 0.02, "{}", dataset.mean);
        assert!((dataset.std - 0.3081).abs() < 0.03, "{}", dataset.std);
        for image in dataset.train.images.chunks(784) {
            assert!(image.iter().any(|&v| v > 128));
            // The corners are empty.
            assert_eq!([image[0], image[27], image[756], image[783]], [0; 4]);
        }
    }

    /// Pinned: the same sum has to come out in wasm.
    #[test]
    fn the_images_of_seed_1_are_pinned() {
        let dataset = generate(200, 1, 1).unwrap();
        let mut sum = 0_u64;
        for &pixel in &dataset.train.images {
            sum = sum.wrapping_mul(31).wrapping_add(u64::from(pixel));
        }
        assert_eq!(sum, 13_541_969_132_539_610_679);
    }

    #[test]
    fn impossible_counts_are_errors() {
        for (train, test) in [(0, 1), (1, 0), (MAX_COUNT + 1, 1), (1, usize::MAX)] {
            let error = generate(train, test, 0).unwrap_err();
            assert_eq!(error.code(), "config_invalid");
        }
    }
}
