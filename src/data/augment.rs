//! Small random changes of an image that leave its class as it is.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "coordinates within 28 pixels and grey levels held to 0..255"
)]

use super::{IMAGE_PIXELS, IMAGE_SIDE, Purpose, generator};
use crate::error::{Error, Result};
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

/// How the training images of a run are changed, each another way in each epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Augment {
    /// They stay as they are.
    #[default]
    None,
    /// Moved by up to a pixel along each axis.
    Shift,
    /// Moved, turned, scaled and slanted, as far as [`Augmentation::default`] goes.
    Warp,
}

impl Augment {
    /// How far images are changed; `None` where they are not.
    #[must_use]
    pub fn limits(self) -> Option<Augmentation> {
        match self {
            Self::None => None,
            Self::Shift => Some(Augmentation { max_shift: 1.0, max_half_turn: 0.0, max_scale: 0.0, max_shear: 0.0 }),
            Self::Warp => Some(Augmentation::default()),
        }
    }
}

/// How far an image is changed at most, each way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Augmentation {
    /// Shift along each axis, in pixels.
    pub max_shift: f32,
    /// Tangent of half the angle of rotation; 0.1 is about 11 degrees.
    pub max_half_turn: f32,
    /// Change of scale: 0.1 is from 0.9 to 1.1.
    pub max_scale: f32,
    /// Slant: columns moved per row.
    pub max_shear: f32,
}

impl Default for Augmentation {
    fn default() -> Self {
        Self { max_shift: 1.5, max_half_turn: 0.09, max_scale: 0.1, max_shear: 0.1 }
    }
}

impl Augmentation {
    /// A changed copy of `image`; the same (seed, epoch, position) gives the same one.
    ///
    /// # Shapes
    /// - `image` and result: `[28, 28]`
    ///
    /// # Errors
    /// [`Error::WrongLength`] when `image` is not 784 long.
    pub fn apply(&self, image: &[u8], seed: u64, epoch: u64, position: u64) -> Result<Vec<u8>> {
        if image.len() != IMAGE_PIXELS {
            return Err(Error::WrongLength { what: "image", expected: IMAGE_PIXELS, got: image.len() });
        }
        let mut random = generator(Purpose::Augmentation, seed, epoch, position);
        let [map_x, map_y] = affine(&mut random, self.max_half_turn, self.max_shear, self.max_scale);
        let shift_x = symmetric(&mut random, self.max_shift);
        let shift_y = symmetric(&mut random, self.max_shift);
        let middle = (IMAGE_SIDE as f32 - 1.0) / 2.0;
        let mut changed = Vec::with_capacity(IMAGE_PIXELS);
        for row in 0..IMAGE_SIDE {
            for column in 0..IMAGE_SIDE {
                // Where each pixel comes from, so the map is the way back; it is as random.
                let x = column as f32 - middle - shift_x;
                let y = row as f32 - middle - shift_y;
                let from_x = map_x[0] * x + map_x[1] * y + middle;
                let from_y = map_y[0] * x + map_y[1] * y + middle;
                let value = sample(image, from_x, from_y);
                changed.push(value.round() as u8);
            }
        }
        Ok(changed)
    }
}

/// Uniform in −`limit`..`limit`.
pub(super) fn symmetric(random: &mut impl Rng, limit: f32) -> f32 {
    (random.random::<f32>() * 2.0 - 1.0) * limit
}

/// A random rotation × slant × scale of each axis, by rows.
///
/// The rotation is built from the tangent t of half its angle: cos = (1 − t²)/(1 + t²) and
/// sin = 2t/(1 + t²) are the same to the bit everywhere, which a library's sine is not.
pub(super) fn affine(random: &mut impl Rng, max_half_turn: f32, max_shear: f32, max_scale: f32) -> [[f32; 2]; 2] {
    let t = symmetric(random, max_half_turn);
    let shear = symmetric(random, max_shear);
    let scale_x = 1.0 + symmetric(random, max_scale);
    let scale_y = 1.0 + symmetric(random, max_scale);
    let cos = (1.0 - t * t) / (1.0 + t * t);
    let sin = 2.0 * t / (1.0 + t * t);
    [[cos * scale_x, (cos * shear - sin) * scale_y], [sin * scale_x, (sin * shear + cos) * scale_y]]
}

/// The image between its pixels, linearly; empty outside.
fn sample(image: &[u8], x: f32, y: f32) -> f32 {
    let (left, top) = (x.floor(), y.floor());
    let pixel = |column: f32, row: f32| {
        let side = IMAGE_SIDE as f32;
        if (0.0..side).contains(&column) && (0.0..side).contains(&row) {
            f32::from(image[row as usize * IMAGE_SIDE + column as usize])
        } else {
            0.0
        }
    };
    let (right_part, bottom_part) = (x - left, y - top);
    let upper = pixel(left, top) * (1.0 - right_part) + pixel(left + 1.0, top) * right_part;
    let lower = pixel(left, top + 1.0) * (1.0 - right_part) + pixel(left + 1.0, top + 1.0) * right_part;
    upper * (1.0 - bottom_part) + lower * bottom_part
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A filled square in the middle.
    fn square() -> Vec<u8> {
        (0..IMAGE_PIXELS)
            .map(|i| {
                let inside = (8..20).contains(&(i % 28)) && (8..20).contains(&(i / 28));
                if inside { 255 } else { 0 }
            })
            .collect()
    }

    #[test]
    fn the_same_key_gives_the_same_image() {
        let image = square();
        let augment = |seed, step, position| Augmentation::default().apply(&image, seed, step, position).unwrap();
        let first = augment(1, 2, 3);
        assert_eq!(first.len(), 784);
        assert_eq!(first, augment(1, 2, 3));
        assert_ne!(first, image);
        for other in [(2, 2, 3), (1, 3, 3), (1, 2, 4)] {
            assert_ne!(first, augment(other.0, other.1, other.2));
        }
    }

    #[test]
    fn no_change_allowed_is_no_change() {
        let still = Augmentation { max_shift: 0.0, max_half_turn: 0.0, max_scale: 0.0, max_shear: 0.0 };
        assert_eq!(still.apply(&square(), 1, 2, 3).unwrap(), square());
    }

    #[test]
    fn a_shift_moves_by_a_pixel_at_most_and_no_more_than_that() {
        let image = square();
        let shift = Augment::Shift.limits().unwrap();
        let ink = |image: &[u8]| image.iter().map(|&v| f64::from(v)).sum::<f64>();
        // Where the ink's middle is: (column, row).
        let middle = |image: &[u8]| {
            let along = |axis: fn(usize) -> usize| {
                image.iter().enumerate().map(|(i, &v)| axis(i) as f64 * f64::from(v)).sum::<f64>() / ink(image)
            };
            (along(|i| i % 28), along(|i| i / 28))
        };
        let mut farthest = [0.0_f64; 2];
        for position in 0..200 {
            let moved = shift.apply(&image, 9, 0, position).unwrap();
            assert!((ink(&moved) / ink(&image) - 1.0).abs() < 0.01, "nothing is lost");
            let (column, row) = middle(&moved);
            farthest = [farthest[0].max((column - 13.5).abs()), farthest[1].max((row - 13.5).abs())];
        }
        assert!(farthest.iter().all(|&far| (0.9..1.01).contains(&far)), "{farthest:?}");
        assert!(Augment::None.limits().is_none());
        assert_eq!(Augment::Warp.limits(), Some(Augmentation::default()));
    }

    #[test]
    fn its_names_are_those_of_the_page() {
        for (augment, name) in [(Augment::None, "\"none\""), (Augment::Shift, "\"shift\""), (Augment::Warp, "\"warp\"")]
        {
            assert_eq!(serde_json::to_string(&augment).unwrap(), name);
            assert_eq!(serde_json::from_str::<Augment>(name).unwrap(), augment);
        }
    }

    #[test]
    fn changes_are_small() {
        let image = square();
        let ink = |image: &[u8]| image.iter().map(|&v| f64::from(v)).sum::<f64>();
        for position in 0..200 {
            let changed = Augmentation::default().apply(&image, 9, 0, position).unwrap();
            let ratio = ink(&changed) / ink(&image);
            assert!((0.75..1.35).contains(&ratio), "{ratio}");
            // The middle of the square stays ink, the corner of the image stays empty.
            assert_eq!((changed[14 * 28 + 14], changed[0]), (255, 0));
        }
    }

    #[test]
    fn other_sizes_are_an_error() {
        assert_eq!(Augmentation::default().apply(&[0; 783], 0, 0, 0).unwrap_err().code(), "wrong_length");
    }
}
