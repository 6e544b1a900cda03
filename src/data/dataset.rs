//! A dataset in memory: images, labels, and how its pixels are normalised.

use super::idx::{parse_images, parse_labels};
use super::{CLASSES, CatalogEntry, IMAGE_PIXELS, IMAGE_SIDE};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// Which part of a dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SplitName {
    /// To learn from.
    Train,
    /// To test with, never learned from.
    Test,
}

/// Images and their labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// `[N, 28, 28]`, 0 is background, 255 is full ink.
    pub images: Vec<u8>,
    /// `[N]`, each below the number of classes.
    pub labels: Vec<u8>,
}

impl Split {
    /// Images with their labels, checked against each other and against the number of classes.
    ///
    /// # Shapes
    /// - `images`: `[N, 28, 28]`
    /// - `labels`: `[N]`
    ///
    /// # Errors
    /// [`Error::WrongLength`], [`Error::LengthMismatch`], [`Error::Empty`] or
    /// [`Error::LabelOutOfRange`].
    pub fn new(images: Vec<u8>, labels: Vec<u8>, classes: usize) -> Result<Self> {
        let count = images.len() / IMAGE_PIXELS;
        if !images.len().is_multiple_of(IMAGE_PIXELS) {
            return Err(Error::WrongLength { what: "images", expected: (count + 1) * IMAGE_PIXELS, got: images.len() });
        }
        if count != labels.len() {
            return Err(Error::LengthMismatch { images: count, labels: labels.len() });
        }
        if count == 0 {
            return Err(Error::Empty { what: "dataset" });
        }
        let is_bad = |&label: &u8| usize::from(label) >= classes;
        if let Some(index) = labels.iter().position(is_bad) {
            return Err(Error::LabelOutOfRange { index, label: labels[index], classes });
        }
        Ok(Self { images, labels })
    }

    /// Reads a file of images and one of labels, and says of which one an error is.
    fn from_idx(images: &[u8], labels: &[u8], [images_name, labels_name]: [&'static str; 2]) -> Result<Self> {
        let within = |file| move |error| Error::InFile { file, error: Box::new(error) };
        let images = parse_images(images).map_err(within(images_name))?;
        let labels = parse_labels(labels).map_err(within(labels_name))?;
        if (images.rows, images.cols) != (IMAGE_SIDE, IMAGE_SIDE) {
            let error = Error::ImageSize { rows: images.rows, cols: images.cols };
            return Err(within(images_name)(error));
        }
        Self::new(images.pixels, labels, CLASSES).map_err(within(labels_name))
    }

    /// The splits of a dataset from its four files.
    fn both_from_idx(files: [&[u8]; 4]) -> Result<[Self; 2]> {
        let [train_images, train_labels, test_images, test_labels] = files;
        Ok([
            Self::from_idx(train_images, train_labels, ["training images", "training labels"])?,
            Self::from_idx(test_images, test_labels, ["test images", "test labels"])?,
        ])
    }

    /// Number of images.
    #[must_use]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Image `index`, `[28, 28]`.
    ///
    /// # Panics
    /// When `index` is not below [`len`](Self::len).
    #[must_use]
    pub fn image(&self, index: usize) -> &[u8] {
        &self.images[index * IMAGE_PIXELS..][..IMAGE_PIXELS]
    }

    /// Positions of the images of a class, ascending; `None` for all.
    #[must_use]
    pub fn of_class(&self, class: Option<u8>) -> Vec<u32> {
        (0..)
            .zip(&self.labels)
            .filter(|&(_, &label)| class.is_none_or(|class| class == label))
            .map(|(index, _)| index)
            .collect()
    }

    /// Mean and standard deviation of all pixels, on the scale where full ink is 1.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "sums of bytes stay exact in an f64 up to 2⁵³"
    )]
    fn mean_and_std(&self) -> (f32, f32) {
        let (mut sum, mut squares) = (0_u64, 0_u64);
        for &pixel in &self.images {
            sum += u64::from(pixel);
            squares += u64::from(pixel) * u64::from(pixel);
        }
        let count = self.images.len().max(1) as f64;
        let mean = sum as f64 / count;
        let variance = (squares as f64 / count - mean * mean).max(0.0);
        ((mean / 255.0) as f32, (variance.sqrt() / 255.0) as f32)
    }
}

/// What can be said of a split in numbers.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Statistics {
    /// Number of images.
    pub count: usize,
    /// Number of images of each class.
    pub class_counts: Vec<usize>,
    /// Mean of all pixels, full ink is 1.
    pub mean: f32,
    /// Standard deviation of all pixels, full ink is 1.
    pub std: f32,
    /// `[10, 28, 28]`, the mean image of each class; blank for a class without images.
    pub class_means: Vec<u8>,
}

/// Two splits, their classes and their normalisation.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// `mnist`, `fashion-mnist`, `synthetic` or `own`.
    pub id: String,
    /// Its name for people.
    pub title: String,
    /// A name for each class.
    pub class_names: Vec<String>,
    /// Mean that pixels are normalised with, full ink is 1.
    pub mean: f32,
    /// Standard deviation that pixels are normalised with, full ink is 1; never 0.
    pub std: f32,
    /// To learn from.
    pub train: Split,
    /// To test with.
    pub test: Split,
}

impl Dataset {
    /// A dataset of the catalog, from its four files, unpacked: images and labels to train on, then
    /// those to test with.
    ///
    /// # Errors
    /// [`Error::InFile`] with what [`parse_images`], [`parse_labels`] and [`Split::new`] find wrong, and
    /// [`Error::ImageSize`].
    pub fn from_idx(entry: &CatalogEntry, files: [&[u8]; 4]) -> Result<Self> {
        let [train, test] = Split::both_from_idx(files)?;
        Ok(Self {
            id: entry.id.to_owned(),
            title: entry.title.to_owned(),
            class_names: entry.class_names.map(str::to_owned).to_vec(),
            mean: entry.mean,
            std: entry.std,
            train,
            test,
        })
    }

    /// The visitor's own dataset, from four files, unpacked. Its mean and standard deviation are
    /// measured on its training split.
    ///
    /// # Errors
    /// As [`from_idx`](Self::from_idx).
    pub fn own_from_idx(title: &str, files: [&[u8]; 4]) -> Result<Self> {
        let [train, test] = Split::both_from_idx(files)?;
        Ok(Self::measured("own", title, train, test))
    }

    /// A dataset of classes "0" to "9" whose normalisation is measured on its training split.
    pub(super) fn measured(id: &str, title: &str, train: Split, test: Split) -> Self {
        let (mean, std) = train.mean_and_std();
        Self {
            id: id.to_owned(),
            title: title.to_owned(),
            class_names: (0..CLASSES).map(|class| class.to_string()).collect(),
            mean,
            // Pixels that are all alike have nothing to scale.
            std: if std > 0.0 { std } else { 1.0 },
            train,
            test,
        }
    }

    /// One of the two splits.
    #[must_use]
    pub fn split(&self, name: SplitName) -> &Split {
        match name {
            SplitName::Train => &self.train,
            SplitName::Test => &self.test,
        }
    }

    /// Pixels as the net takes them; see [`normalise`].
    #[must_use]
    pub fn normalise(&self, pixels: &[u8]) -> Vec<f32> {
        normalise(pixels, self.mean, self.std)
    }

    /// Counts, mean, standard deviation and mean images of a split.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "a mean of bytes is a byte")]
    pub fn statistics(&self, name: SplitName) -> Statistics {
        let split = self.split(name);
        let classes = self.class_names.len();
        let mut class_counts = vec![0; classes];
        let mut sums = vec![0_u64; classes * IMAGE_PIXELS];
        for (image, &label) in split.images.chunks_exact(IMAGE_PIXELS).zip(&split.labels) {
            let class = usize::from(label);
            class_counts[class] += 1;
            let sums = &mut sums[class * IMAGE_PIXELS..][..IMAGE_PIXELS];
            for (sum, &pixel) in sums.iter_mut().zip(image) {
                *sum += u64::from(pixel);
            }
        }
        let class_means = sums
            .chunks_exact(IMAGE_PIXELS)
            .zip(&class_counts)
            .flat_map(|(sums, &count)| {
                let count = (count as u64).max(1);
                sums.iter().map(move |sum| ((sum + count / 2) / count) as u8)
            })
            .collect();
        let (mean, std) = split.mean_and_std();
        Statistics { count: split.len(), class_counts, mean, std, class_means }
    }
}

/// `(x / 255 − mean) / std` of each pixel, in the order of operations of torchvision's `ToTensor`
/// and `Normalize`, so that the results are equal to the bit.
#[must_use]
pub fn normalise(pixels: &[u8], mean: f32, std: f32) -> Vec<f32> {
    pixels.iter().map(|&pixel| (f32::from(pixel) / 255.0 - mean) / std).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::catalog;

    /// IDX files of images, image i filled with `values[i]`, and of labels.
    fn files(side: u32, values: &[u8], labels: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let count = |n: usize| u32::try_from(n).unwrap().to_be_bytes();
        let mut images = vec![0, 0, 8, 3];
        images.extend(count(values.len()));
        images.extend(side.to_be_bytes());
        images.extend(side.to_be_bytes());
        for &value in values {
            images.extend(vec![value; (side * side) as usize]);
        }
        let mut label_file = vec![0, 0, 8, 1];
        label_file.extend(count(labels.len()));
        label_file.extend(labels);
        (images, label_file)
    }

    fn own(values: &[u8], labels: &[u8]) -> Result<Dataset> {
        let (images, labels) = files(28, values, labels);
        Dataset::own_from_idx("mine", [&images, &labels, &images, &labels])
    }

    #[test]
    fn catalog_datasets_keep_their_normalisation() {
        let (images, labels) = files(28, &[0, 255], &[9, 0]);
        let entry = catalog::find("fashion-mnist").unwrap();
        let dataset = Dataset::from_idx(entry, [&images, &labels, &images, &labels]).unwrap();
        assert_eq!(dataset.id, "fashion-mnist");
        assert_eq!(dataset.class_names[9], "Ankle boot");
        assert_eq!((dataset.mean, dataset.std), (0.2860, 0.3530));
        assert_eq!(dataset.train.image(1), [255; 784]);
        assert_eq!(dataset.normalise(&[0]), [-0.2860 / 0.3530]);
    }

    #[test]
    fn own_datasets_are_measured() {
        let dataset = own(&[0, 255], &[0, 1]).unwrap();
        assert_eq!((dataset.mean, dataset.std), (0.5, 0.5));
        assert_eq!(dataset.normalise(&[0, 255]), [-1.0, 1.0]);
        // All alike: finite all the same.
        let flat = own(&[51, 51], &[0, 1]).unwrap();
        assert_eq!((flat.mean, flat.std), (0.2, 1.0));
    }

    #[test]
    fn normalisation_of_mnist_matches_pytorch() {
        // ToTensor and Normalize((0.1307,), (0.3081,)) of 0, 128 and 255.
        let values = normalise(&[0, 128, 255], 0.1307, 0.3081);
        assert_eq!(values, [-0.424_212_96, 1.205_001_1, 2.821_486_7]);
    }

    #[test]
    fn statistics_count_and_average() {
        let statistics = own(&[10, 21, 255, 0], &[3, 3, 9, 0]).unwrap().statistics(SplitName::Test);
        assert_eq!(statistics.count, 4);
        assert_eq!(statistics.class_counts, [1, 0, 0, 2, 0, 0, 0, 0, 0, 1]);
        assert!((statistics.mean - 71.5 / 255.0).abs() < 1e-6);
        assert_eq!(statistics.class_means.len(), 7840);
        assert_eq!(statistics.class_means[3 * 784], 16);
        assert_eq!(statistics.class_means[9 * 784], 255);
        assert_eq!(statistics.class_means[5 * 784], 0);
    }

    #[test]
    fn classes_are_found() {
        let split = own(&[1, 2, 3], &[4, 7, 4]).unwrap().train;
        assert_eq!(split.of_class(Some(4)), [0, 2]);
        assert_eq!(split.of_class(Some(1)), [0u32; 0]);
        assert_eq!(split.of_class(None), [0, 1, 2]);
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let within = |file, error| Error::InFile { file, error: Box::new(error) };
        assert_eq!(own(&[1, 2], &[0]), Err(within("training labels", Error::LengthMismatch { images: 2, labels: 1 })));
        assert_eq!(
            own(&[1, 2], &[0, 10]),
            Err(within("training labels", Error::LabelOutOfRange { index: 1, label: 10, classes: 10 }))
        );
        assert_eq!(own(&[], &[]), Err(within("training labels", Error::Empty { what: "dataset" })));
        let (images, labels) = files(27, &[1], &[0]);
        assert_eq!(
            Dataset::own_from_idx("", [&images, &labels, &images, &labels]),
            Err(within("training images", Error::ImageSize { rows: 27, cols: 27 }))
        );
        assert_eq!(
            Split::new(vec![0; 785], vec![0], 10),
            Err(Error::WrongLength { what: "images", expected: 1568, got: 785 })
        );
    }
}
