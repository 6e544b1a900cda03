//! PyTorch's numbers; see `tests/golden/README.md`. The bars, as relative L2 error of each tensor:
//! 1e-4 on the CPU, 1e-3 on WebGPU.

use std::collections::BTreeMap;

use burn::tensor::{Gradients, Tensor};
use glassbox::device::DeviceKind;
use glassbox::explain::{Attribute, Gradient};
use glassbox::model::{ModelSpec, Net, ParameterMap, images_on, presets};
use glassbox::store::safetensors::{self, NamedTensor};
use glassbox::train::loss::cross_entropy;
use glassbox::train::parity::relative_error;
use glassbox::train::{Batch, OptimizerKind, TrainConfig, Trainer};

/// How far a device may be off.
fn bar(kind: DeviceKind) -> f64 {
    match kind {
        DeviceKind::Cpu => 1e-4,
        DeviceKind::Gpu => 1e-3,
    }
}

/// A golden file's tensors by name.
pub struct Golden(BTreeMap<String, Vec<f32>>);

impl Golden {
    pub fn narrow() -> Self {
        Self::of(include_bytes!("../golden/narrow.safetensors"))
    }

    pub fn lecture() -> Self {
        Self::of(include_bytes!("../golden/lecture.safetensors"))
    }

    fn of(bytes: &[u8]) -> Self {
        let (tensors, _) = safetensors::read(bytes).unwrap();
        Self(tensors.into_iter().map(|tensor| (tensor.name, tensor.values)).collect())
    }

    fn get(&self, name: &str) -> &[f32] {
        self.0.get(name).unwrap_or_else(|| panic!("the golden file has no {name}"))
    }

    fn batch(&self, device: &burn::tensor::Device) -> Batch {
        Batch::new(self.get("images").to_vec(), &self.labels(), device).unwrap()
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // digits
    fn labels(&self) -> Vec<u8> {
        self.get("labels").iter().map(|&label| label as u8).collect()
    }

    /// Compares a tensor: the whole of it, or its norm and samples where the file has those.
    fn compare(&self, name: &str, got: &[f32], bar: f64) {
        let error = if let Some(want) = self.0.get(name) {
            relative_error(got, want)
        } else {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // positions below 2²⁴
            let at = |&index: &f32| got[index as usize];
            let sampled: Vec<f32> = self.get(&format!("{name}/indices")).iter().map(at).collect();
            let norm = got.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>().sqrt();
            let want = f64::from(self.get(&format!("{name}/norm"))[0]);
            let samples = relative_error(&sampled, self.get(&format!("{name}/values")));
            samples.max((norm - want).abs() / want)
        };
        assert!(error <= bar, "{name}: relative error {error:.1e}, the bar is {bar:.0e}");
    }
}

/// The weights that `tests/golden/README.md` gives a recipe for.
pub fn recipe_weights(spec: &ModelSpec) -> Vec<NamedTensor> {
    fn hash(mut x: u32) -> u32 {
        x ^= x >> 16;
        x = x.wrapping_mul(0x21f0_aaad);
        x ^= x >> 15;
        x = x.wrapping_mul(0x735a_2d97);
        x ^ (x >> 15)
    }
    let mut fan_in = 0;
    let tensor = |(t, (name, shape)): (usize, (String, Vec<usize>))| {
        if name.ends_with("weight") {
            fan_in = shape[1..].iter().product();
        }
        #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)] // as the recipe has it
        let values = (0..shape.iter().product::<usize>())
            .map(|i| {
                let h = hash((((t + 1) as u32) << 24).wrapping_add(i as u32));
                let u = (h >> 8) as f32 / 16_777_216.0;
                let k = (1.0 / (fan_in as f64).sqrt()) as f32;
                (2.0 * u - 1.0) * k
            })
            .collect();
        NamedTensor { name, shape, values }
    };
    spec.parameters().into_iter().enumerate().map(tensor).collect()
}

fn narrow_spec() -> ModelSpec {
    presets::cnn("narrow", [4, 8, 16])
}

/// The recipe gives PyTorch's weights to the bit.
pub fn the_recipe_is_repeated() {
    let golden = Golden::narrow();
    for tensor in recipe_weights(&narrow_spec()) {
        assert_eq!(tensor.values, golden.get(&format!("weights/{}", tensor.name)), "{}", tensor.name);
    }
}

/// Logits, loss and the gradients of every parameter.
async fn one_pass(golden: &Golden, spec: &ModelSpec, kind: DeviceKind) {
    struct Collect<'a>(&'a mut Gradients, Vec<Vec<f32>>, Vec<Tensor<1>>);
    impl ParameterMap for Collect<'_> {
        fn map<const D: usize>(&mut self, name: &str, value: Tensor<D>) -> Tensor<D> {
            let gradient = value.grad_remove(self.0);
            self.2.push(gradient.unwrap_or_else(|| panic!("{name} has no gradient")).flatten(0, D - 1));
            value
        }
    }
    let device = kind.open().await.unwrap();
    let mut net = Net::from_tensors(spec, &recipe_weights(spec), &device.clone().autodiff()).unwrap();
    let batch = golden.batch(&device);
    let logits = net.forward(batch.images);
    let loss = cross_entropy(logits.clone(), batch.targets);
    golden.compare("logits", &read(logits.without_autodiff()).await, bar(kind));
    golden.compare("loss", &read(loss.clone().without_autodiff()).await, bar(kind));
    let mut gradients = loss.backward();
    let mut collect = Collect(&mut gradients, Vec::new(), Vec::new());
    net.map(&mut collect);
    let Collect(_, mut values, tensors) = collect;
    for tensor in tensors {
        values.push(read(tensor).await);
    }
    for NamedTensor { name, values, .. } in net.named(values) {
        golden.compare(&format!("grad/{name}"), &values, bar(kind));
    }
}

async fn read<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data_async().await.unwrap().try_into_vec::<f32>().unwrap()
}

/// The gradient of each sample's class score by its pixels.
async fn saliency(golden: &Golden, spec: &ModelSpec, kind: DeviceKind, samples: usize) {
    let device = kind.open().await.unwrap();
    let net = Net::from_tensors(spec, &recipe_weights(spec), &device).unwrap();
    let images = golden.get("images").chunks_exact(784).zip(golden.get("input_gradient").chunks_exact(784));
    for (sample, (image, want)) in images.enumerate().take(samples) {
        let target = usize::from(golden.labels()[sample]);
        let got = Gradient.attribute(&net, image, Some(target), &device).await.unwrap();
        let error = relative_error(&got.values, want);
        assert!(error <= bar(kind), "saliency of sample {sample}: relative error {error:.1e}");
        let logits = &golden.get("logits")[sample * 10..][..10];
        assert!(relative_error(&got.logits, logits) <= bar(kind));
    }
}

/// Losses of ten steps, and the parameters after them.
async fn ten_steps(golden: &Golden, spec: &ModelSpec, kind: DeviceKind, optimizer: OptimizerKind) {
    let (prefix, learning_rate) = match optimizer {
        OptimizerKind::Sgd => ("sgd", 0.01),
        OptimizerKind::Adam => ("adam", 0.001),
    };
    let device = kind.open().await.unwrap();
    let config = TrainConfig { optimizer, learning_rate, ..TrainConfig::default() };
    let mut trainer = Trainer::from_tensors(spec, &recipe_weights(spec), config, &device).unwrap();
    let batch = golden.batch(&device);
    let losses = trainer.steps((0..10).map(|_| Ok((batch.clone(), learning_rate)))).await.unwrap();
    golden.compare(&format!("{prefix}/losses"), &losses, bar(kind));
    for NamedTensor { name, values, .. } in trainer.net().tensors().await.unwrap() {
        golden.compare(&format!("{prefix}/{name}"), &values, bar(kind));
    }
}

pub async fn narrow_pass(kind: DeviceKind) {
    one_pass(&Golden::narrow(), &narrow_spec(), kind).await;
}

pub async fn narrow_saliency(kind: DeviceKind, samples: usize) {
    saliency(&Golden::narrow(), &narrow_spec(), kind, samples).await;
}

pub async fn narrow_steps(kind: DeviceKind, optimizer: OptimizerKind) {
    ten_steps(&Golden::narrow(), &narrow_spec(), kind, optimizer).await;
}

pub async fn lecture_pass(kind: DeviceKind) {
    one_pass(&Golden::lecture(), &presets::lecture(), kind).await;
}

pub async fn lecture_saliency(kind: DeviceKind, samples: usize) {
    saliency(&Golden::lecture(), &presets::lecture(), kind, samples).await;
}

pub async fn lecture_steps(kind: DeviceKind, optimizer: OptimizerKind) {
    ten_steps(&Golden::lecture(), &presets::lecture(), kind, optimizer).await;
}

/// A batch's logits do not depend on how many images come with it.
pub async fn a_batch_is_its_images(kind: DeviceKind) {
    let (golden, spec) = (Golden::lecture(), presets::lecture());
    let device = kind.open().await.unwrap();
    let net = Net::from_tensors(&spec, &recipe_weights(&spec), &device).unwrap();
    for count in [1, 3] {
        let images = golden.get("images")[..count * 784].to_vec();
        let got = read(net.forward(images_on(images, &device).unwrap())).await;
        assert!(relative_error(&got, &golden.get("logits")[..count * 10]) <= bar(kind));
    }
}
