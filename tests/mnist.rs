//! The crate on the real MNIST, where `GLASSBOX_DATA` names a folder that holds `mnist/`; elsewhere
//! each test says that it is skipped.
#![cfg(not(target_arch = "wasm32"))]

use std::fs;
use std::io::Read as _;
use std::path::PathBuf;

use flate2::read::GzDecoder;
use futures_lite::future::block_on;
use glassbox::data::{Dataset, SplitName, catalog};
use glassbox::device::DeviceKind;
use glassbox::ink;
use glassbox::model::lecture;
use glassbox::store::safetensors;
use glassbox::train::{EvaluateOn, Phase, Run, TrainConfig};

/// A dataset of the catalog, or `None` where the data is not there.
fn dataset(id: &str) -> Option<Dataset> {
    let Some(folder) = std::env::var_os("GLASSBOX_DATA") else {
        eprintln!("skipped: GLASSBOX_DATA is not set");
        return None;
    };
    let folder = PathBuf::from(folder).join(id);
    let entry = catalog::find(id).unwrap();
    let files: Vec<Vec<u8>> = entry
        .files
        .iter()
        .map(|file| {
            let packed = fs::File::open(folder.join(file.name)).unwrap();
            let mut bytes = Vec::new();
            GzDecoder::new(packed).read_to_end(&mut bytes).unwrap();
            assert_eq!(bytes.len(), file.unpacked_bytes, "{}", file.name);
            bytes
        })
        .collect();
    Some(Dataset::from_idx(entry, [&files[0], &files[1], &files[2], &files[3]]).unwrap())
}

/// The accuracy on the test images.
async fn accuracy(run: &mut Run, dataset: &Dataset) -> f64 {
    run.evaluate(EvaluateOn::Test);
    while run.phase() == Phase::Evaluate {
        run.advance(dataset, 1000.0).await.unwrap();
    }
    run.last().unwrap().report.accuracy
}

/// The catalog's mean and standard deviation are those of the data.
#[test]
fn the_catalog_is_right() {
    for (id, first_label) in [("mnist", 5), ("fashion-mnist", 9)] {
        let Some(dataset) = dataset(id) else { return };
        assert_eq!((dataset.train.len(), dataset.test.len()), (60_000, 10_000));
        assert_eq!(dataset.train.labels[0], first_label);
        let statistics = dataset.statistics(SplitName::Train);
        assert!((statistics.mean - dataset.mean).abs() < 1e-4, "{id}: mean {}", statistics.mean);
        assert!((statistics.std - dataset.std).abs() < 1e-4, "{id}: std {}", statistics.std);
    }
}

/// The weights that come with the page score at least 99.0 % on the test images.
#[test]
fn the_shipped_weights_are_as_good_as_said() {
    let Some(dataset) = dataset("mnist") else { return };
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/www/models/lecture.safetensors");
    let (tensors, _) = safetensors::read(&fs::read(file).unwrap()).unwrap();
    block_on(async {
        let device = DeviceKind::Cpu.open().await.unwrap();
        let config = TrainConfig::default();
        let mut run = Run::from_tensors(&lecture(), &tensors, config, Some(&dataset), &device).unwrap();
        let accuracy = accuracy(&mut run, &dataset).await;
        println!("the shipped weights: {:.2} %", accuracy * 100.0);
        assert!(accuracy >= 0.99, "{accuracy}");
    });
}

/// Two hundred steps of the default settings read most of the test images.
#[test]
fn the_net_learns_mnist() {
    let Some(mut dataset) = dataset("mnist") else { return };
    dataset.test.images.truncate(2000 * 784);
    dataset.test.labels.truncate(2000);
    block_on(async {
        let device = DeviceKind::Cpu.open().await.unwrap();
        let mut run = Run::new(&lecture(), TrainConfig::default(), Some(&dataset), &device).unwrap();
        let before = accuracy(&mut run, &dataset).await;
        while run.step() < 200 {
            run.advance(&dataset, 1000.0).await.unwrap();
        }
        let after = accuracy(&mut run, &dataset).await;
        println!("before {:.2} %, after {} steps {:.2} %", before * 100.0, run.step(), after * 100.0);
        assert!(before < 0.3 && after > 0.9, "{before} {after}");
    });
}

/// MNIST's own images come out of the drawing pad's treatment as they went in, nearly: enlarged,
/// cropped, fitted and centred again.
#[test]
fn ink_does_what_mnist_s_makers_did() {
    const SCALE: usize = 8;
    let Some(dataset) = dataset("mnist") else { return };
    let side = 28 * SCALE;
    let mut errors = Vec::new();
    for index in 0..500 {
        let image = dataset.test.image(index);
        let large: Vec<u8> = (0..side * side).map(|i| image[(i / side / SCALE) * 28 + (i % side) / SCALE]).collect();
        let again = ink::from_pixels(&large, side, side).unwrap().unwrap();
        let difference: f64 = image.iter().zip(&again).map(|(&a, &b)| (f64::from(a) - f64::from(b)).abs()).sum();
        let whole: f64 = image.iter().map(|&value| f64::from(value)).sum();
        errors.push(difference / whole);
    }
    errors.sort_by(f64::total_cmp);
    println!("difference in ink: median {:.3}, 95 % below {:.3}", errors[250], errors[475]);
    assert!(errors[250] < 0.1, "{}", errors[250]);
}
