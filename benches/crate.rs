//! The crate's parts, natively: `./build.sh bench`.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use futures_lite::future::block_on;
use glassbox::data::{SplitName, synthetic};
use glassbox::device::DeviceKind;
use glassbox::explain::{Attribute, Gradient};
use glassbox::ink;
use glassbox::model::{ModelSpec, Net, images_on, lecture, presets};
use glassbox::store::safetensors::{self, DType};
use glassbox::train::{Batch, TrainConfig, Trainer};

/// Pixels of `count` images, normalised, none alike.
fn pixels(count: u16) -> Vec<f32> {
    (0..u32::from(count) * 784).map(|i| f32::from(u8::try_from(i * 2_654_435 % 251).unwrap_or(0)) / 100.0).collect()
}

/// A step of SGD on `count` images.
fn step(criterion: &mut Criterion, name: &str, spec: &ModelSpec, count: u16) {
    let device = block_on(DeviceKind::Cpu.open()).unwrap();
    let labels: Vec<u8> = (0..count).map(|i| u8::try_from(i % 10).unwrap_or(0)).collect();
    let batch = Batch::new(pixels(count), &labels, &device).unwrap();
    let mut trainer = Trainer::new(spec, TrainConfig::lecture(), &device).unwrap();
    let mut group = criterion.benchmark_group("training step");
    group.sample_size(10);
    group.bench_function(name, |bencher| {
        bencher.iter(|| block_on(trainer.steps(std::iter::once(Ok((batch.clone(), 0.001))))).unwrap());
    });
    group.finish();
}

fn training(criterion: &mut Criterion) {
    for count in [10, 64] {
        step(criterion, &format!("batch {count}"), &lecture(), count);
    }
    // The lecture's net, 32, 64 and 128 wide, made narrower and wider.
    for width in [8, 16, 32, 64] {
        let widths = [width, 2 * width, 4 * width];
        step(criterion, &format!("batch 16, {widths:?} wide"), &presets::cnn("wide", widths), 16);
    }
}

fn answering(criterion: &mut Criterion) {
    let device = block_on(DeviceKind::Cpu.open()).unwrap();
    let net = Net::init(&lecture(), 1, &device).unwrap();
    let image = pixels(1);
    criterion.bench_function("inference, one image", |bencher| {
        bencher.iter(|| {
            let logits = net.forward(images_on(image.clone(), &device).unwrap());
            block_on(logits.into_data_async()).unwrap()
        });
    });
    criterion.bench_function("prediction and saliency", |bencher| {
        bencher.iter(|| block_on(Gradient.attribute(&net, &image, None, &device)).unwrap());
    });
}

fn data(criterion: &mut Criterion) {
    let side = 280_usize;
    let drawing: Vec<u8> = (0..side * side).map(|i| if (i % side).abs_diff(i / side) < 12 { 255 } else { 0 }).collect();
    criterion.bench_function("ink, a drawing of 280×280", |bencher| {
        bencher.iter(|| ink::from_pixels(black_box(&drawing), side, side).unwrap());
    });
    criterion.bench_function("100 synthetic digits", |bencher| {
        bencher.iter(|| synthetic::generate(90, 10, black_box(1)).unwrap());
    });
    let dataset = synthetic::generate(1_000, 10, 1).unwrap();
    criterion.bench_function("statistics of 1,000 images", |bencher| {
        bencher.iter(|| dataset.statistics(SplitName::Train));
    });
}

fn storing(criterion: &mut Criterion) {
    let device = block_on(DeviceKind::Cpu.open()).unwrap();
    let net = Net::init(&lecture(), 1, &device).unwrap();
    let tensors = block_on(net.tensors()).unwrap();
    let file = safetensors::write(&tensors, &std::collections::BTreeMap::new(), DType::F16).unwrap();
    criterion.bench_function("weights to f16 safetensors", |bencher| {
        bencher.iter(|| safetensors::write(&tensors, &std::collections::BTreeMap::new(), DType::F16).unwrap());
    });
    criterion.bench_function("weights from f16 safetensors to a net", |bencher| {
        bencher.iter_batched(
            || file.clone(),
            |file| Net::from_tensors(&lecture(), &safetensors::read(&file).unwrap().0, &device).unwrap(),
            BatchSize::LargeInput,
        );
    });
}

criterion_group!(benches, training, answering, data, storing);
criterion_main!(benches);
