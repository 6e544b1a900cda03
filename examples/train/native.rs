//! All of it, behind a `main` that a browser has no use for.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use futures_lite::future::block_on;
use glassbox::data::augment::Augment;
use glassbox::data::{CLASSES, Dataset, IMAGE_PIXELS, catalog, synthetic};
use glassbox::device::DeviceKind;
use glassbox::lab::weights::{self, Notes};
use glassbox::model::lecture;
use glassbox::store::safetensors::{self, DType, NamedTensor};
use glassbox::train::parity::parity;
use glassbox::train::{EvaluateOn, OptimizerKind, Phase, Run, Schedule, TrainConfig, TrainEvent};

struct Arguments {
    data: PathBuf,
    dataset: String,
    out: Option<PathBuf>,
    test: Option<PathBuf>,
    predictions: Option<PathBuf>,
    synthetic: Option<usize>,
    rates: Vec<f64>,
    test_at: Option<usize>,
    device: DeviceKind,
    config: TrainConfig,
}

fn arguments() -> Result<Arguments, Box<dyn Error>> {
    let mut parsed = Arguments {
        data: PathBuf::new(),
        dataset: "mnist".to_owned(),
        out: None,
        test: None,
        predictions: None,
        synthetic: None,
        rates: Vec::new(),
        test_at: None,
        device: DeviceKind::Cpu,
        config: TrainConfig::default(),
    };
    let mut given = std::env::args().skip(1);
    while let Some(name) = given.next() {
        if name == "--augment" {
            parsed.config.augment = Augment::Warp;
            continue;
        }
        let value = given.next().ok_or_else(|| format!("{name} needs a value"))?;
        match name.as_str() {
            "--data" => parsed.data = value.into(),
            "--dataset" => parsed.dataset = value,
            "--out" => parsed.out = Some(value.into()),
            "--test" => parsed.test = Some(value.into()),
            "--predictions" => parsed.predictions = Some(value.into()),
            "--synthetic" => parsed.synthetic = Some(value.parse()?),
            "--test-at" => parsed.test_at = Some(value.parse()?),
            "--device" => {
                parsed.device = match value.as_str() {
                    "cpu" => DeviceKind::Cpu,
                    "gpu" => DeviceKind::Gpu, // with `--features gpu`
                    other => return Err(format!("no device is called {other}").into()),
                }
            }
            // Those after it change it.
            "--preset" => {
                parsed.config = match value.as_str() {
                    "quick" => TrainConfig::quick(),
                    "lecture" => TrainConfig::lecture(),
                    other => return Err(format!("no preset is called {other}").into()),
                }
            }
            "--schedule" => {
                parsed.config.schedule = match value.as_str() {
                    "constant" => Schedule::Constant,
                    "cosine" => Schedule::Cosine,
                    other => return Err(format!("no schedule is called {other}").into()),
                }
            }
            "--epochs" => parsed.config.epochs = value.parse()?,
            "--batch" => parsed.config.batch_size = value.parse()?,
            "--seed" => parsed.config.seed = value.parse()?,
            "--learning-rate" => parsed.config.learning_rate = value.parse()?,
            // One for each epoch; the last goes on.
            "--learning-rates" => {
                parsed.rates = value.split(',').map(str::parse).collect::<Result<_, _>>()?;
            }
            "--optimizer" => {
                parsed.config.optimizer = match value.as_str() {
                    "sgd" => OptimizerKind::Sgd,
                    "adam" => OptimizerKind::Adam,
                    other => return Err(format!("no optimizer is called {other}").into()),
                }
            }
            other => return Err(format!("{other} is not understood").into()),
        }
    }
    if let Some(&first) = parsed.rates.first() {
        parsed.config.learning_rate = first;
    }
    Ok(parsed)
}

/// A dataset of the catalog from the four files in a folder.
fn read(id: &str, folder: &Path) -> Result<Dataset, Box<dyn Error>> {
    let entry = catalog::find(id).ok_or_else(|| format!("no dataset is called {id}"))?;
    let unpack = |i: usize| -> Result<Vec<u8>, Box<dyn Error>> {
        let path = folder.join(entry.files[i].name);
        let file = fs::File::open(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let mut bytes = Vec::new();
        GzDecoder::new(file).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    Ok(Dataset::from_idx(entry, [&unpack(0)?, &unpack(1)?, &unpack(2)?, &unpack(3)?])?)
}

pub fn main() -> Result<(), Box<dyn Error>> {
    let arguments = arguments()?;
    let mut dataset = read(&arguments.dataset, &arguments.data)?;
    if let Some(count) = arguments.synthetic {
        // Both splits are normalised by what is trained on.
        let drawn = synthetic::generate(count, 10, arguments.config.seed)?;
        dataset = Dataset { test: dataset.test, ..drawn };
    }
    println!("{} training and {} test images of {}", dataset.train.len(), dataset.test.len(), dataset.title);
    let file = if let Some(file) = &arguments.test {
        file
    } else {
        block_on(train(&arguments, &dataset))?;
        let Some(file) = &arguments.out else { return Ok(()) };
        file
    };
    block_on(test(file, &dataset, arguments.predictions.as_deref()))
}

async fn train(arguments: &Arguments, dataset: &Dataset) -> Result<(), Box<dyn Error>> {
    let config = &arguments.config;
    let device = arguments.device.open().await?;
    if arguments.device == DeviceKind::Gpu {
        println!("beside the CPU: {:?}", parity(&device).await?);
    }
    let mut run = Run::new(&lecture(), config.clone(), Some(dataset), &device)?;
    let mut test_at = arguments.test_at;
    for epoch in 0..config.epochs {
        if let Some(&rate) = arguments.rates.get(epoch) {
            run.trainer_mut().set_learning_rate(rate)?;
        }
        while run.epoch() <= epoch || run.phase() == Phase::Evaluate {
            for event in run.advance(dataset, 1000.0).await? {
                tell(event)?;
            }
            if test_at.is_some_and(|count| run.step() * config.batch_size >= count) {
                test_at = None;
                println!("\rafter {} images: {}", run.step() * config.batch_size, tested(&mut run, dataset).await?);
            }
        }
    }
    if let Some(out) = &arguments.out {
        let bytes = weights::write(run.trainer().net(), &Notes::of(dataset), true).await?;
        fs::write(out, bytes)?;
    }
    Ok(())
}

fn tell(event: TrainEvent) -> Result<(), Box<dyn Error>> {
    match event {
        TrainEvent::Progress(progress) if progress.phase == Phase::Train => {
            let loss = progress.running_loss.unwrap_or(f64::NAN);
            eprint!("\rstep {} of {}, loss {loss:.4}  ", progress.step, progress.total_steps);
        }
        TrainEvent::EpochEnd(end) => println!(
            "\repoch {}: training loss {:.4}, test loss {:.4}, test accuracy {:.2} %, {:.0} s",
            end.epoch,
            end.train_loss.unwrap_or(f64::NAN),
            end.test_loss,
            end.test_accuracy * 100.0,
            end.elapsed_ms / 1e3
        ),
        TrainEvent::Diverged { message, .. } => return Err(message.into()),
        _ => {}
    }
    Ok(())
}

/// Tests the weights of the moment, and says how good they are.
async fn tested(run: &mut Run, dataset: &Dataset) -> Result<String, Box<dyn Error>> {
    run.evaluate(EvaluateOn::Test);
    while run.phase() == Phase::Evaluate {
        run.advance(dataset, 1000.0).await?;
    }
    let report = &run.last().ok_or("nothing was tested")?.report;
    Ok(format!("test loss {:.4}, test accuracy {:.2} %", report.loss, report.accuracy * 100.0))
}

/// Tests the weights as they are in the file, rounded to f16. `predictions` becomes a file of the first
/// hundred test images and their probabilities, for `tests/golden/check_load.py`.
async fn test(file: &Path, dataset: &Dataset, predictions: Option<&Path>) -> Result<(), Box<dyn Error>> {
    let device = DeviceKind::Cpu.open().await?;
    let (tensors, _) = safetensors::read(&fs::read(file)?)?;
    let mut run = Run::from_tensors(&lecture(), &tensors, TrainConfig::default(), Some(dataset), &device)?;
    println!("{}: {}", file.display(), tested(&mut run, dataset).await?);
    let report = &run.last().ok_or("nothing was tested")?.report;
    for row in report.confusion.counts.chunks(report.confusion.classes) {
        println!("{}", row.iter().map(|count| format!("{count:5}")).collect::<String>());
    }
    if let Some(predictions) = predictions {
        let count = report.count.min(100);
        let tensor = |name: &str, width: usize, values: &[f32]| NamedTensor {
            name: name.to_owned(),
            shape: vec![count, width],
            values: values[..count * width].to_vec(),
        };
        let images = dataset.normalise(&dataset.test.images[..count * IMAGE_PIXELS]);
        let tensors =
            [tensor("images", IMAGE_PIXELS, &images), tensor("probabilities", CLASSES, &report.probabilities)];
        fs::write(predictions, safetensors::write(&tensors, &BTreeMap::new(), DType::F32)?)?;
    }
    Ok(())
}
