//! The public datasets that Glassbox knows: where they are, what they weigh, how to check them.

use serde::Serialize;

/// A dataset of the catalog.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CatalogEntry {
    /// Its name in commands and folders.
    pub id: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// A name for each class.
    pub class_names: [&'static str; 10],
    /// Mean of the training pixels, full ink is 1.
    pub mean: f32,
    /// Standard deviation of the training pixels, full ink is 1.
    pub std: f32,
    /// Its files, in the order of [`FileRole`].
    pub files: [CatalogFile; 4],
    /// Addresses that a file's name is appended to, the first to be asked first.
    pub mirrors: &'static [&'static str],
    /// What it may be used for.
    pub licence: &'static str,
    /// Whom to cite.
    pub citation: &'static str,
}

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum FileRole {
    /// Images to learn from.
    TrainImages,
    /// Labels to learn from.
    TrainLabels,
    /// Images to test with.
    TestImages,
    /// Labels to test with.
    TestLabels,
}

/// A gzipped IDX file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CatalogFile {
    /// What it holds.
    pub role: FileRole,
    /// Its name.
    pub name: &'static str,
    /// SHA-256 of the gzipped file, in lower-case hexadecimal.
    pub sha256: &'static str,
    /// Length of the gzipped file.
    pub bytes: usize,
    /// Length of the IDX file in it.
    pub unpacked_bytes: usize,
}

/// The four files of a dataset with MNIST's names and sizes, from (SHA-256, gzipped length).
const fn files(packed: [(&'static str, usize); 4]) -> [CatalogFile; 4] {
    const fn file(
        role: FileRole,
        name: &'static str,
        (sha256, bytes): (&'static str, usize),
        unpacked_bytes: usize,
    ) -> CatalogFile {
        CatalogFile { role, name, sha256, bytes, unpacked_bytes }
    }
    let [train_images, train_labels, test_images, test_labels] = packed;
    [
        file(FileRole::TrainImages, "train-images-idx3-ubyte.gz", train_images, 47_040_016),
        file(FileRole::TrainLabels, "train-labels-idx1-ubyte.gz", train_labels, 60_008),
        file(FileRole::TestImages, "t10k-images-idx3-ubyte.gz", test_images, 7_840_016),
        file(FileRole::TestLabels, "t10k-labels-idx1-ubyte.gz", test_labels, 10_008),
    ]
}

/// All of them. The mirrors of MNIST are those that torchvision uses; those of Fashion-MNIST are
/// its authors' repository and the one that Keras uses, since the authors' bucket that torchvision
/// asks speaks no HTTPS.
pub const CATALOG: &[CatalogEntry] = &[
    CatalogEntry {
        id: "mnist",
        title: "MNIST",
        class_names: ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
        mean: 0.1307,
        std: 0.3081,
        files: files([
            ("440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609", 9_912_422),
            ("3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c", 28_881),
            ("8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6", 1_648_877),
            ("f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6", 4_542),
        ]),
        mirrors: &[
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ],
        licence: "no licence in the files; Keras and TensorFlow give CC BY-SA 3.0, copyright Yann LeCun and Corinna Cortes",
        citation: "Y. LeCun, L. Bottou, Y. Bengio, P. Haffner: Gradient-based learning applied to document recognition. Proceedings of the IEEE 86 (1998), 2278-2324",
    },
    CatalogEntry {
        id: "fashion-mnist",
        title: "Fashion-MNIST",
        class_names: [
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ],
        mean: 0.2860,
        std: 0.3530,
        files: files([
            ("3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84", 26_421_880),
            ("a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845", 29_515),
            ("346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073", 4_422_102),
            ("67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5", 5_148),
        ]),
        mirrors: &[
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
            "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
        ],
        licence: "MIT, copyright 2017 Zalando SE",
        citation: "H. Xiao, K. Rasul, R. Vollgraf: Fashion-MNIST: a novel image dataset for benchmarking machine learning algorithms. arXiv:1708.07747 (2017)",
    },
];

/// The entry called `id`.
#[must_use]
pub fn find(id: &str) -> Option<&'static CatalogEntry> {
    CATALOG.iter().find(|entry| entry.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_found_by_id() {
        assert_eq!(find("mnist").unwrap().title, "MNIST");
        assert_eq!(find("fashion-mnist").unwrap().class_names[8], "Bag");
        assert_eq!(find("MNIST"), None);
    }

    #[test]
    fn entries_are_well_formed() {
        for entry in CATALOG {
            for mirror in entry.mirrors {
                assert!(mirror.starts_with("https://") && mirror.ends_with('/'));
            }
            assert!(entry.std > 0.0);
            for file in &entry.files {
                assert_eq!(file.sha256.len(), 64);
                assert!(file.sha256.bytes().all(|c| c.is_ascii_hexdigit()));
                assert!(file.name.ends_with("-ubyte.gz") && file.bytes < file.unpacked_bytes);
            }
            // What the header's sizes come to, for 60,000 and 10,000 images.
            let unpacked = entry.files.each_ref().map(|file| file.unpacked_bytes);
            let expected = [16 + 60_000 * 784, 8 + 60_000, 16 + 10_000 * 784, 8 + 10_000];
            assert_eq!(unpacked, expected);
        }
    }

    #[test]
    fn no_two_files_are_the_same() {
        let mut sums: Vec<_> =
            CATALOG.iter().flat_map(|entry| entry.files.each_ref().map(|file| file.sha256)).collect();
        sums.sort_unstable();
        sums.dedup();
        assert_eq!(sums.len(), 8);
    }
}
