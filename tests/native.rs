//! The test bodies natively, on the CPU.
#![cfg(not(target_arch = "wasm32"))]

mod bodies;

use bodies::{golden, lab, learning, saliency};
use futures_lite::future::block_on;
use glassbox::device::DeviceKind::Cpu;
use glassbox::train::OptimizerKind::{Adam, Sgd};
use glassbox::train::TrainConfig;

/// A test for each body.
macro_rules! natively {
    ($($name:ident => $body:expr;)*) => { $(#[test] fn $name() { block_on($body) })* };
}

#[test]
fn golden_recipe() {
    golden::the_recipe_is_repeated();
}

natively! {
    golden_narrow_pass => golden::narrow_pass(Cpu);
    golden_narrow_saliency => golden::narrow_saliency(Cpu, 8);
    golden_narrow_sgd => golden::narrow_steps(Cpu, Sgd);
    golden_narrow_adam => golden::narrow_steps(Cpu, Adam);
    golden_lecture_pass => golden::lecture_pass(Cpu);
    golden_lecture_saliency => golden::lecture_saliency(Cpu, 8);
    golden_lecture_sgd => golden::lecture_steps(Cpu, Sgd);
    golden_lecture_adam => golden::lecture_steps(Cpu, Adam);
    a_batch_is_its_images => golden::a_batch_is_its_images(Cpu);
    saliency_matches_finite_differences => saliency::matches_finite_differences(Cpu);
    saliency_explains_the_prediction => saliency::explains_the_prediction_unless_asked(Cpu);
    the_same_seed_repeats => learning::the_same_seed_repeats_to_the_bit(Cpu);
    the_net_learns => learning::learns(Cpu);
    sgd_continues_to_the_bit => learning::continues_to_the_bit(Cpu, TrainConfig::lecture());
    adam_continues_to_the_bit => learning::continues_to_the_bit(Cpu, TrainConfig::default());
    the_quick_settings_continue_to_the_bit => learning::continues_to_the_bit(Cpu, TrainConfig::quick());
    a_schedule_sets_each_steps_rate => learning::a_schedule_sets_each_steps_rate(Cpu);
    changed_images_are_other_images => learning::changed_images_are_other_images(Cpu);
    divergence_leaves_good_weights => learning::divergence_leaves_good_weights(Cpu);
    the_learning_rate_changes_at_once => learning::the_learning_rate_changes_at_once(Cpu);
    bad_files_change_nothing => lab::bad_files_change_nothing(Cpu);
    what_is_not_there_is_said => lab::what_is_not_there_is_said(Cpu);
    a_drawing_is_answered => lab::a_drawing_is_answered(Cpu);
    weights_travel => lab::weights_travel(Cpu);
    a_held_batch_is_learned => lab::a_held_batch_is_learned(Cpu, 3);
}

/// The losses that `tests/web.rs` compares the browser's with. `GLASSBOX_WRITE_GOLDEN=1` writes
/// them anew.
#[test]
fn losses_are_those_written_down() {
    for (optimizer, name) in [(Sgd, "cpu_losses_sgd"), (Adam, "cpu_losses_adam")] {
        let losses = block_on(learning::twenty_losses(Cpu, optimizer));
        let path = format!("{}/tests/golden/{name}.txt", env!("CARGO_MANIFEST_DIR"));
        if std::env::var_os("GLASSBOX_WRITE_GOLDEN").is_some() {
            let lines: String = losses.iter().map(|loss| format!("{loss}\n")).collect();
            std::fs::write(&path, lines).unwrap();
        }
        bodies::compare_losses(&losses, &std::fs::read_to_string(&path).unwrap());
    }
}
