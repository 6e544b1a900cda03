//! Whole runs: they learn, repeat, continue, and end well.

use glassbox::data::augment::Augment;
use glassbox::device::DeviceKind;
use glassbox::lab::{Event, Lab};
use glassbox::train::{OptimizerKind, Phase, Schedule, TrainConfig, TrainEvent};
use serde_json::json;

use super::{advance_until, ask, configure, load_digits, losses};

/// Twenty steps of the lecture's net, as `tests/golden/cpu_losses.txt` has them.
pub async fn twenty_losses(kind: DeviceKind, optimizer: OptimizerKind) -> Vec<f32> {
    let mut lab = Lab::open(kind).await.unwrap();
    load_digits(&mut lab, 160, 10).await;
    let config = TrainConfig { optimizer, batch_size: 8, epochs: 1, seed: 7, ..TrainConfig::default() };
    configure(&mut lab, &config).await;
    let events = advance_until(&mut lab, |event| matches!(event, TrainEvent::EpochEnd(_))).await;
    let losses = losses(&events);
    assert_eq!(losses.len(), 20);
    losses
}

/// The same seed gives the same losses to the bit; another seed gives others.
pub async fn the_same_seed_repeats_to_the_bit(kind: DeviceKind) {
    let mut runs = Vec::new();
    for seed in [1, 1, 2] {
        let mut lab = Lab::open(kind).await.unwrap();
        load_digits(&mut lab, 48, 10).await;
        configure(&mut lab, &TrainConfig { batch_size: 8, epochs: 1, seed, ..TrainConfig::default() }).await;
        let events = advance_until(&mut lab, |event| matches!(event, TrainEvent::EpochEnd(_))).await;
        runs.push(losses(&events));
    }
    assert_eq!(runs[0].len(), 6);
    assert_eq!(runs[0], runs[1]);
    assert_ne!(runs[0], runs[2]);
}

/// The lecture's net learns synthetic digits that it has not seen.
pub async fn learns(kind: DeviceKind) {
    let mut lab = Lab::open(kind).await.unwrap();
    load_digits(&mut lab, 1_000, 200).await;
    configure(&mut lab, &TrainConfig { batch_size: 20, epochs: 2, validation_fraction: 0.1, ..TrainConfig::default() })
        .await;
    let events = advance_until(&mut lab, |event| matches!(event, TrainEvent::Finished)).await;
    let ends: Vec<_> = events
        .iter()
        .filter_map(|event| if let TrainEvent::EpochEnd(end) = event { Some(end) } else { None })
        .collect();
    assert_eq!(ends.iter().map(|end| (end.epoch, end.step)).collect::<Vec<_>>(), [(1, 45), (2, 90)]);
    assert!(ends[1].test_accuracy > 0.8, "{}", ends[1].test_accuracy);
    assert!(ends[1].test_loss < ends[0].test_loss && ends[1].train_loss < ends[0].train_loss);
    assert!(ends[1].validation_accuracy.unwrap() > 0.7);
    let all = losses(&events);
    assert_eq!(all.len(), 90);
    let mean = f64::from(all[45..].iter().sum::<f32>()) / 45.0;
    assert!((ends[1].train_loss.unwrap() - mean).abs() < 1e-4, "the epoch's loss is the mean of its steps'");

    // The report is on the test images; its cells hold what was predicted.
    let Some(TrainEvent::Report(report)) = events.iter().rfind(|event| matches!(event, TrainEvent::Report(_))) else {
        panic!("there is a report");
    };
    assert_eq!((report.split, report.count), ("test", 200));
    assert_eq!(report.confusion.iter().sum::<u32>(), 200);
    assert!((report.accuracy - ends[1].test_accuracy).abs() < 1e-12);
    let Event::Cell { total, indices, pixels, probabilities, .. } =
        ask(&mut lab, json!({"type": "cell", "truth": 1, "predicted": 1, "count": 5})).await
    else {
        panic!("a cell")
    };
    assert_eq!(total, report.confusion[11] as usize);
    assert!(total > 5 && indices.len() == 5 && pixels.len() == 5 * 784 && probabilities.len() == 5 * 40);
    // Image i of the synthetic digits shows i mod 10.
    assert!(indices.iter().all(|index| index % 10 == 1));
}

/// A run put together again from its checkpoint goes on to the bit, in the middle of an epoch.
pub async fn continues_to_the_bit(kind: DeviceKind, settings: TrainConfig) {
    let config = TrainConfig { batch_size: 8, epochs: 2, seed: 4, ..settings };
    let mut whole = Lab::open(kind).await.unwrap();
    load_digits(&mut whole, 32, 10).await;
    configure(&mut whole, &config).await;
    let events = advance_until(&mut whole, |event| matches!(event, TrainEvent::Finished)).await;
    let want = losses(&events);
    assert_eq!(want.len(), 8);

    let mut first = Lab::open(kind).await.unwrap();
    load_digits(&mut first, 32, 10).await;
    configure(&mut first, &config).await;
    let at = |step: usize| move |event: &TrainEvent| matches!(event, TrainEvent::Progress(p) if p.step == step);
    let mut got = losses(&advance_until(&mut first, at(2)).await);
    let Event::Checkpoint { bytes, epoch, step, dataset_id } =
        ask(&mut first, json!({"type": "exportCheckpoint"})).await
    else {
        panic!("a checkpoint")
    };
    assert_eq!((epoch, step, &dataset_id[..]), (0, 2, "synthetic"));

    let mut second = Lab::open(kind).await.unwrap();
    load_digits(&mut second, 32, 10).await;
    let Event::Run { step, config: same, .. } =
        ask(&mut second, json!({"type": "importCheckpoint", "bytes": bytes.into_vec()})).await
    else {
        panic!("a run")
    };
    assert_eq!((step, &same), (2, &config));
    let rest = advance_until(&mut second, |event| matches!(event, TrainEvent::Finished)).await;
    got.extend(losses(&rest));
    assert_eq!(got, want);
    // And the first epoch's mean loss is of all its steps, those before the checkpoint too.
    let first_end = |events: &[TrainEvent]| {
        events.iter().find_map(|event| if let TrainEvent::EpochEnd(end) = event { end.train_loss } else { None })
    };
    assert_eq!(first_end(&rest), first_end(&events));
    let weights = json!({"type": "exportWeights", "half": false});
    assert_eq!(ask(&mut whole, weights.clone()).await, ask(&mut second, weights).await);
}

/// Too large steps end the run, say so, and leave weights that still answer.
pub async fn divergence_leaves_good_weights(kind: DeviceKind) {
    let mut lab = Lab::open(kind).await.unwrap();
    load_digits(&mut lab, 80, 10).await;
    let config =
        TrainConfig { optimizer: OptimizerKind::Sgd, learning_rate: 1e9, batch_size: 8, ..TrainConfig::default() };
    configure(&mut lab, &config).await;
    let events = advance_until(&mut lab, |event| matches!(event, TrainEvent::Diverged { .. })).await;
    let Some(TrainEvent::Diverged { step, loss, message }) = events.last() else { panic!("it diverged") };
    assert!(*step >= 1 && !loss.is_finite());
    assert!(message.contains("learning rate 1000000000") && message.contains("smaller"), "{message}");
    let Event::Weights { bytes } = ask(&mut lab, json!({"type": "exportWeights", "half": false})).await else {
        panic!("weights")
    };
    let (tensors, _) = glassbox::store::safetensors::read(&bytes).unwrap();
    assert!(tensors.iter().flat_map(|tensor| &tensor.values).all(|value| value.is_finite()));
    let last = advance_until(&mut lab, |event| matches!(event, TrainEvent::Progress(_))).await;
    assert!(matches!(&last[..], [TrainEvent::Progress(p)] if p.phase == Phase::Idle), "the run is over");
}

/// The learning rate changes from the next step on: next to none, and the weights stay.
pub async fn the_learning_rate_changes_at_once(kind: DeviceKind) {
    let mut lab = Lab::open(kind).await.unwrap();
    load_digits(&mut lab, 40, 10).await;
    configure(
        &mut lab,
        &TrainConfig { optimizer: OptimizerKind::Sgd, momentum: 0.0, batch_size: 8, ..TrainConfig::default() },
    )
    .await;
    let weights = json!({"type": "exportWeights", "half": false});
    let before = ask(&mut lab, weights.clone()).await;
    let Event::Run { config, .. } = ask(&mut lab, json!({"type": "setLearningRate", "learningRate": 1e-30})).await
    else {
        panic!("a run")
    };
    assert!((config.learning_rate - 1e-30).abs() < 1e-40);
    advance_until(&mut lab, |event| matches!(event, TrainEvent::Progress(p) if p.step == 2)).await;
    assert_eq!(ask(&mut lab, weights.clone()).await, before);
    ask(&mut lab, json!({"type": "setLearningRate", "learningRate": 0.01})).await;
    advance_until(&mut lab, |event| matches!(event, TrainEvent::Progress(p) if p.step == 3)).await;
    assert_ne!(ask(&mut lab, weights).await, before);
    for bad in [0.0, -1.0] {
        let error = lab.execute(super::command(json!({"type": "setLearningRate", "learningRate": bad}))).await;
        assert_eq!(error.unwrap_err().code(), "config_invalid");
    }
}

/// A schedule is no more than another learning rate for each step, counted over the whole run: set by
/// hand before each step, it gives the same weights to the bit. The rate in force is told.
pub async fn a_schedule_sets_each_steps_rate(kind: DeviceKind) {
    let constant = TrainConfig { batch_size: 8, epochs: 2, seed: 4, ..TrainConfig::default() };
    let cosine = TrainConfig { schedule: Schedule::Cosine, ..constant.clone() };
    let factors: Vec<f64> =
        (0..8).map(|step| (1.0 + (std::f64::consts::PI * f64::from(step) / 8.0).cos()) / 2.0).collect();

    let mut scheduled = Lab::open(kind).await.unwrap();
    load_digits(&mut scheduled, 32, 10).await;
    configure(&mut scheduled, &cosine).await;
    let mut by_hand = Lab::open(kind).await.unwrap();
    load_digits(&mut by_hand, 32, 10).await;
    configure(&mut by_hand, &constant).await;
    let (mut got, mut want) = (Vec::new(), Vec::new());
    for (step, factor) in factors.iter().enumerate() {
        // From the middle on the visitor wants half of it: the rest of the schedule is half as high.
        let setting = if step < 4 { 0.001 } else { 0.0005 };
        if step == 4 {
            ask(&mut scheduled, json!({"type": "setLearningRate", "learningRate": setting})).await;
        }
        ask(&mut by_hand, json!({"type": "setLearningRate", "learningRate": setting * factor})).await;
        let here = move |event: &TrainEvent| matches!(event, TrainEvent::Progress(p) if p.step == step + 1);
        let events = advance_until(&mut scheduled, here).await;
        let Some(TrainEvent::Progress(progress)) = events.last() else { panic!("news") };
        assert!((progress.learning_rate - setting * factor).abs() < 1e-15, "{step}: {}", progress.learning_rate);
        got.extend(losses(&events));
        want.extend(losses(&advance_until(&mut by_hand, here).await));
    }
    assert_eq!(got.len(), 8);
    assert_eq!(got, want);
    let weights = json!({"type": "exportWeights", "half": false});
    assert_eq!(ask(&mut scheduled, weights.clone()).await, ask(&mut by_hand, weights).await);
    // And it is not what the learning rate alone gives.
    let mut plain = Lab::open(kind).await.unwrap();
    load_digits(&mut plain, 32, 10).await;
    configure(&mut plain, &constant).await;
    let plain = losses(&advance_until(&mut plain, |event| matches!(event, TrainEvent::Finished)).await);
    // The first two losses come from before any difference.
    assert_eq!(plain[..2], got[..2]);
    assert_ne!(plain[2..], got[2..]);
}

/// Changed images are learned from in place of those of the dataset: other losses from the first step
/// on, the same ones again with the same seed.
pub async fn changed_images_are_other_images(kind: DeviceKind) {
    let mut runs = Vec::new();
    for augment in [Augment::None, Augment::Shift, Augment::Shift, Augment::Warp] {
        let mut lab = Lab::open(kind).await.unwrap();
        load_digits(&mut lab, 16, 10).await;
        configure(&mut lab, &TrainConfig { augment, batch_size: 8, epochs: 1, ..TrainConfig::default() }).await;
        runs.push(losses(&advance_until(&mut lab, |event| matches!(event, TrainEvent::EpochEnd(_))).await));
    }
    assert!(runs[0].iter().zip(&runs[1]).all(|(plain, changed)| plain != changed), "{runs:?}");
    assert_eq!(runs[1], runs[2]);
    assert_ne!(runs[2], runs[3]);
}
