//! The lab's commands, good and bad.

use glassbox::device::DeviceKind;
use glassbox::lab::{Event, Lab};
use glassbox::store::safetensors::{self, DType};
use glassbox::train::TrainConfig;
use serde_json::{Value, json};

use super::{ask, command, configure, load_digits};

async fn code_of(lab: &mut Lab, value: Value) -> &'static str {
    lab.execute(command(value)).await.expect_err("it is refused").code()
}

/// An IDX file of `dims`, filled with `value`.
fn idx(dims: &[u32], value: u8) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, u8::try_from(dims.len()).unwrap()];
    bytes.extend(dims.iter().flat_map(|dim| dim.to_be_bytes()));
    bytes.extend(vec![value; dims.iter().product::<u32>() as usize]);
    bytes
}

/// Files that are wrong are refused, and what was there stays.
pub async fn bad_files_change_nothing(kind: DeviceKind) {
    let mut lab = Lab::open(kind).await.unwrap();
    load_digits(&mut lab, 40, 20).await;
    configure(&mut lab, &TrainConfig::default()).await;
    let (images, labels) = (idx(&[4, 28, 28], 9), idx(&[4], 1));
    let load = |train_images: &[u8], train_labels: &[u8]| {
        json!({"type": "loadIdx", "id": "own", "trainImages": train_images, "trainLabels": train_labels,
               "testImages": images, "testLabels": labels})
    };
    let mut magic = images.clone();
    magic[0] = 1;
    let bad = [
        (load(&images[..images.len() - 1], &labels), "idx_truncated"),
        (load(&[&images[..], &[0]].concat(), &labels), "idx_oversized"),
        (load(&magic, &labels), "idx_magic"),
        (load(&labels, &labels), "idx_rank"),
        (load(&idx(&[4, 27, 28], 0), &labels), "image_size"),
        (load(&images, &idx(&[4], 10)), "label_out_of_range"),
        (load(&images, &idx(&[3], 1)), "length_mismatch"),
        (load(&[], &labels), "idx_truncated"),
        (load(&idx(&[0, 28, 28], 0), &idx(&[0], 0)), "empty"),
    ];
    for (load, code) in bad {
        assert_eq!(code_of(&mut lab, load).await, code);
    }
    let unknown = json!({"type": "loadIdx", "id": "cifar", "trainImages": images, "trainLabels": labels,
                         "testImages": images, "testLabels": labels});
    assert_eq!(code_of(&mut lab, unknown).await, "unknown_dataset");
    // Data and run are as before.
    let Event::Samples { total, labels: shown, pixels, .. } =
        ask(&mut lab, json!({"type": "samples", "split": "train", "class": 3, "offset": 1, "count": 2})).await
    else {
        panic!("samples")
    };
    assert_eq!((total, &shown[..], pixels.len()), (4, &[3, 3][..], 2 * 784));
    assert!(matches!(ask(&mut lab, json!({"type": "advance", "budgetMs": 0})).await, Event::Train(_)));
    // And a good one is taken.
    let Event::Dataset { id, title, train_count, mean, .. } = ask(&mut lab, load(&images, &labels)).await else {
        panic!("a dataset")
    };
    assert_eq!((&id[..], &title[..], train_count), ("own", "Your own files", 4));
    assert!((mean - 9.0 / 255.0).abs() < 1e-6);
}

/// Nothing can be asked of what is not there yet.
pub async fn what_is_not_there_is_said(kind: DeviceKind) {
    let mut lab = Lab::open(kind).await.unwrap();
    let image = vec![0; 784];
    for (ask, code) in [
        (json!({"type": "samples", "split": "train", "class": null, "offset": 0, "count": 1}), "no_dataset"),
        (json!({"type": "statistics", "split": "train"}), "no_dataset"),
        (json!({"type": "advance", "budgetMs": 1}), "no_dataset"),
        (json!({"type": "test", "split": "test"}), "no_dataset"),
        (json!({"type": "exportCheckpoint"}), "no_run"),
        (json!({"type": "exportWeights", "half": true}), "no_run"),
        (json!({"type": "look", "image": image, "target": null, "saliency": true}), "no_run"),
        (json!({"type": "stepHeld", "read": true}), "empty"),
    ] {
        assert_eq!(code_of(&mut lab, ask).await, code);
    }
    load_digits(&mut lab, 20, 10).await;
    assert_eq!(code_of(&mut lab, json!({"type": "advance", "budgetMs": 1})).await, "no_run");
    configure(&mut lab, &TrainConfig::default()).await;
    assert_eq!(code_of(&mut lab, json!({"type": "cell", "truth": 1, "predicted": 1, "count": 1})).await, "no_report");
    let bad = TrainConfig { batch_size: 0, ..TrainConfig::default() };
    assert_eq!(code_of(&mut lab, json!({"type": "configure", "config": bad})).await, "config_invalid");
    let dropped = TrainConfig { batch_size: 21, drop_last: true, ..TrainConfig::default() };
    assert_eq!(code_of(&mut lab, json!({"type": "configure", "config": dropped})).await, "config_invalid");
}

/// A drawing becomes an image, ten probabilities and a saliency map.
pub async fn a_drawing_is_answered(kind: DeviceKind) {
    let mut lab = Lab::open(kind).await.unwrap();
    configure(&mut lab, &TrainConfig::default()).await;
    let side = 56;
    let mut pixels = vec![0_u8; side * side];
    for row in 8..48 {
        pixels[row * side + 30..][..5].fill(255);
    }
    let look = |pixels: &[u8], saliency: bool| json!({"type": "look", "pixels": pixels, "width": side, "height": side, "target": 3, "saliency": saliency});
    let Event::Look { empty, image, logits, probabilities, predicted, target, saliency, .. } =
        ask(&mut lab, look(&pixels, true)).await
    else {
        panic!("an answer")
    };
    assert!(!empty && image.len() == 784 && image.iter().any(|&value| value > 200));
    assert_eq!((logits.len(), target), (10, Some(3)));
    assert!((probabilities.iter().sum::<f32>() - 1.0).abs() < 1e-5);
    let best = predicted.unwrap();
    assert!(probabilities.iter().all(|&probability| probability <= probabilities[best]));
    let saliency = saliency.expect("a saliency map");
    assert!(saliency.len() == 4 * 784 && saliency.iter().any(|&byte| byte != 0));

    // Its own image gives the same answer; without saliency too.
    let again = json!({"type": "look", "image": image.into_vec(), "target": null, "saliency": false});
    let Event::Look { logits: same, saliency: None, .. } = ask(&mut lab, again).await else { panic!("an answer") };
    assert!(glassbox::train::parity::relative_error(&same, &logits) < 1e-5);

    let Event::Look { empty: true, probabilities, predicted: None, saliency: None, .. } =
        ask(&mut lab, look(&vec![0; side * side], true)).await
    else {
        panic!("an empty pad has no answer")
    };
    assert!(probabilities.is_empty());
    assert_eq!(code_of(&mut lab, look(&pixels[1..], true)).await, "wrong_length");
    assert_eq!(code_of(&mut lab, json!({"type": "look", "target": null, "saliency": true})).await, "command_invalid");
    let bad = json!({"type": "look", "image": vec![0; 784], "target": 10, "saliency": true});
    assert_eq!(code_of(&mut lab, bad).await, "out_of_range");
}

/// Weights come back as they went, their normalisation with them; bad files change nothing.
pub async fn weights_travel(kind: DeviceKind) {
    let mut first = Lab::open(kind).await.unwrap();
    load_digits(&mut first, 20, 10).await;
    configure(&mut first, &TrainConfig { seed: 9, ..TrainConfig::default() }).await;
    let export = json!({"type": "exportWeights", "half": false});
    let Event::Weights { bytes } = ask(&mut first, export.clone()).await else { panic!("weights") };

    // Into a lab without data, as the page's reader is.
    let mut second = Lab::open(kind).await.unwrap();
    let events = second.execute(command(json!({"type": "importWeights", "bytes": bytes.to_vec()}))).await.unwrap();
    let [Event::WeightsLoaded { parameters, metadata }, Event::Run { step: 0, .. }] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!((*parameters, &metadata["glassbox.dataset"][..]), (1_199_882, "synthetic"));
    let image: Vec<u8> = (0..784_u32).map(|i| if i % 28 > 12 && i % 28 < 16 { 255 } else { 0 }).collect();
    let look = json!({"type": "look", "image": image, "target": null, "saliency": false});
    let logits = |event| if let Event::Look { logits, .. } = event { logits } else { panic!("an answer") };
    let want = logits(ask(&mut first, look.clone()).await);
    assert_eq!(logits(ask(&mut second, look.clone()).await), want);

    // And out of there the same file, to the byte.
    assert_eq!(ask(&mut second, export).await, Event::Weights { bytes: bytes.clone() });

    let (mut tensors, notes) = safetensors::read(&bytes).unwrap();
    let import = |bytes: Vec<u8>| json!({"type": "importWeights", "bytes": bytes});
    let file = |tensors: &[safetensors::NamedTensor]| safetensors::write(tensors, &notes, DType::F32).unwrap();
    assert_eq!(code_of(&mut second, import(bytes[..bytes.len() - 4].to_vec())).await, "safetensors_invalid");
    assert_eq!(code_of(&mut second, import(file(&tensors[1..]))).await, "weights_missing");
    tensors[0].values[0] = f32::NAN;
    assert_eq!(code_of(&mut second, import(file(&tensors))).await, "weights_not_finite");
    tensors[0].values[0] = 0.0;
    tensors[0].shape = vec![32, 1, 9, 1];
    assert_eq!(code_of(&mut second, import(file(&tensors))).await, "weights_shape");
    assert_eq!(logits(ask(&mut second, look).await), want);

    // A checkpoint is not for other data, and weights alone are no checkpoint.
    let Event::Checkpoint { bytes: checkpoint, .. } = ask(&mut first, json!({"type": "exportCheckpoint"})).await else {
        panic!("a checkpoint")
    };
    load_digits(&mut second, 30, 10).await;
    let import = |bytes: &[u8]| json!({"type": "importCheckpoint", "bytes": bytes});
    assert_eq!(code_of(&mut second, import(&checkpoint)).await, "checkpoint_dataset");
    assert_eq!(code_of(&mut second, import(&bytes)).await, "checkpoint_invalid");
}

/// What the benchmark drives: a batch held, steps on it, and inference.
pub async fn a_held_batch_is_learned(kind: DeviceKind, steps: usize) {
    let mut lab = Lab::open(kind).await.unwrap();
    configure(&mut lab, &TrainConfig::default()).await;
    let images: Vec<u8> = (0..2 * 784_u32).flat_map(|i| ((i * 31 % 17) as f32 / 8.0 - 1.0).to_le_bytes()).collect();
    let held = ask(&mut lab, json!({"type": "holdBatch", "images": images, "labels": [3, 8]})).await;
    assert_eq!(held, Event::Held { count: 2 });
    let step = |read: bool| json!({"type": "stepHeld", "read": read});
    let Event::Stepped { loss: Some(first) } = ask(&mut lab, step(true)).await else { panic!("a loss") };
    for _ in 0..steps {
        assert_eq!(ask(&mut lab, step(false)).await, Event::Stepped { loss: None });
    }
    let Event::Stepped { loss: Some(last) } = ask(&mut lab, step(true)).await else { panic!("a loss") };
    assert!(last < first, "{last} is not below {first}");
    let Event::Inferred { probabilities } = ask(&mut lab, json!({"type": "infer", "images": images})).await else {
        panic!("probabilities")
    };
    let probabilities: Vec<f32> =
        probabilities.chunks_exact(4).map(|raw| f32::from_le_bytes(raw.try_into().unwrap())).collect();
    assert_eq!(probabilities.len(), 20);
    for row in probabilities.chunks_exact(10) {
        assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-5);
    }
    let short = json!({"type": "holdBatch", "images": images[4..], "labels": [3, 8]});
    assert_eq!(code_of(&mut lab, short).await, "wrong_length");
    assert_eq!(
        code_of(&mut lab, json!({"type": "holdBatch", "images": images, "labels": [3]})).await,
        "length_mismatch"
    );
}
