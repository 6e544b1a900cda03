//! Test bodies that run on every device: natively on the CPU (`tests/native.rs`), and in a browser
//! on the CPU and on WebGPU (`tests/web.rs`).

#![allow(dead_code)] // each of the two takes what it needs

pub mod golden;
pub mod lab;
pub mod learning;
pub mod saliency;

use glassbox::lab::{Command, Event, Lab};
use glassbox::train::{Progress, TrainConfig, TrainEvent};
use serde_json::json;

/// A command as the page writes it.
pub fn command(value: serde_json::Value) -> Command {
    serde_json::from_value(value).expect("a command")
}

/// Carries out a command that has one answer.
pub async fn ask(lab: &mut Lab, value: serde_json::Value) -> Event {
    let mut events = lab.execute(command(value)).await.expect("the command is carried out");
    events.pop().expect("an answer")
}

pub async fn load_digits(lab: &mut Lab, train: usize, test: usize) {
    ask(lab, json!({"type": "loadSynthetic", "trainCount": train, "testCount": test, "seed": 3})).await;
}

pub async fn configure(lab: &mut Lab, config: &TrainConfig) {
    ask(lab, json!({"type": "configure", "config": config})).await;
}

/// Advances until `done` says so of an event; answers all events.
pub async fn advance_until(lab: &mut Lab, mut done: impl FnMut(&TrainEvent) -> bool) -> Vec<TrainEvent> {
    let mut all = Vec::new();
    for _ in 0..10_000 {
        for event in lab.execute(Command::Advance { budget_ms: 1.0 }).await.expect("it advances") {
            let Event::Train(event) = event else { panic!("news of a run alone") };
            let last = done(&event);
            all.push(event);
            if last {
                return all;
            }
        }
    }
    panic!("it never came to be");
}

/// Every step's loss among some events.
pub fn losses(events: &[TrainEvent]) -> Vec<f32> {
    let of = |event: &TrainEvent| match event {
        TrainEvent::Progress(Progress { losses, .. }) => losses.clone(),
        _ => Vec::new(),
    };
    events.iter().flat_map(of).collect()
}

/// Each loss within 1e-5 of the one written down, relatively.
pub fn compare_losses(got: &[f32], written: &str) {
    let want: Vec<f32> = written.lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(got.len(), want.len());
    for (step, (got, want)) in got.iter().zip(&want).enumerate() {
        let error = (got - want).abs() / want.abs();
        assert!(error <= 1e-5, "step {step}: {got} against {want}, relative error {error:.1e}");
    }
}
