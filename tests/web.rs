//! The test bodies in a browser: `wasm-pack test --headless --chrome`, on the CPU; with
//! `--features gpu` on WebGPU too, with tiny work, since the adapter may be a software one.
#![cfg(target_arch = "wasm32")]

mod bodies;

use bodies::{golden, lab, learning, saliency};
use glassbox::device::DeviceKind::Cpu;
use glassbox::train::OptimizerKind::{Adam, Sgd};
use glassbox::train::TrainConfig;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

// As the page has it: engines live in workers.
wasm_bindgen_test_configure!(run_in_dedicated_worker);

/// A test for each body.
macro_rules! in_the_browser {
    ($($name:ident => $body:expr;)*) => { $(#[wasm_bindgen_test] async fn $name() { $body.await })* };
}

in_the_browser! {
    cpu_golden_narrow_pass => golden::narrow_pass(Cpu);
    cpu_golden_narrow_saliency => golden::narrow_saliency(Cpu, 8);
    cpu_golden_narrow_sgd => golden::narrow_steps(Cpu, Sgd);
    cpu_golden_narrow_adam => golden::narrow_steps(Cpu, Adam);
    cpu_golden_lecture_pass => golden::lecture_pass(Cpu);
    cpu_golden_lecture_saliency => golden::lecture_saliency(Cpu, 2);
    cpu_golden_lecture_sgd => golden::lecture_steps(Cpu, Sgd);
    cpu_golden_lecture_adam => golden::lecture_steps(Cpu, Adam);
    cpu_saliency_matches_finite_differences => saliency::matches_finite_differences(Cpu);
    cpu_saliency_explains_the_prediction => saliency::explains_the_prediction_unless_asked(Cpu);
    cpu_the_same_seed_repeats => learning::the_same_seed_repeats_to_the_bit(Cpu);
    cpu_the_net_learns => learning::learns(Cpu);
    cpu_sgd_continues_to_the_bit => learning::continues_to_the_bit(Cpu, TrainConfig::lecture());
    cpu_adam_continues_to_the_bit => learning::continues_to_the_bit(Cpu, TrainConfig::default());
    cpu_the_quick_settings_continue_to_the_bit => learning::continues_to_the_bit(Cpu, TrainConfig::quick());
    cpu_a_schedule_sets_each_steps_rate => learning::a_schedule_sets_each_steps_rate(Cpu);
    cpu_changed_images_are_other_images => learning::changed_images_are_other_images(Cpu);
    cpu_divergence_leaves_good_weights => learning::divergence_leaves_good_weights(Cpu);
    cpu_the_learning_rate_changes_at_once => learning::the_learning_rate_changes_at_once(Cpu);
    cpu_bad_files_change_nothing => lab::bad_files_change_nothing(Cpu);
    cpu_what_is_not_there_is_said => lab::what_is_not_there_is_said(Cpu);
    cpu_a_drawing_is_answered => lab::a_drawing_is_answered(Cpu);
    cpu_weights_travel => lab::weights_travel(Cpu);
    cpu_a_held_batch_is_learned => lab::a_held_batch_is_learned(Cpu, 3);
}

/// The browser's losses are those that the same code gives natively.
#[wasm_bindgen_test]
async fn cpu_losses_are_the_native_ones() {
    let losses = learning::twenty_losses(Cpu, Sgd).await;
    bodies::compare_losses(&losses, include_str!("golden/cpu_losses_sgd.txt"));
    let losses = learning::twenty_losses(Cpu, Adam).await;
    bodies::compare_losses(&losses, include_str!("golden/cpu_losses_adam.txt"));
}

#[cfg(feature = "gpu")]
mod gpu {
    use super::*;
    use glassbox::device::DeviceKind::Gpu;
    use glassbox::train::parity::parity;

    in_the_browser! {
        gpu_golden_narrow_pass => golden::narrow_pass(Gpu);
        gpu_golden_narrow_saliency => golden::narrow_saliency(Gpu, 1);
        gpu_golden_narrow_sgd => golden::narrow_steps(Gpu, Sgd);
        gpu_golden_narrow_adam => golden::narrow_steps(Gpu, Adam);
        gpu_golden_lecture_pass => golden::lecture_pass(Gpu);
        gpu_golden_lecture_saliency => golden::lecture_saliency(Gpu, 1);
        gpu_golden_lecture_sgd => golden::lecture_steps(Gpu, Sgd);
        gpu_golden_lecture_adam => golden::lecture_steps(Gpu, Adam);
        gpu_sgd_continues_to_the_bit => learning::continues_to_the_bit(Gpu, TrainConfig::lecture());
        gpu_adam_continues_to_the_bit => learning::continues_to_the_bit(Gpu, TrainConfig::default());
        gpu_divergence_leaves_good_weights => learning::divergence_leaves_good_weights(Gpu);
        gpu_weights_travel => lab::weights_travel(Gpu);
        gpu_a_held_batch_is_learned => lab::a_held_batch_is_learned(Gpu, 1);
    }

    /// The probe finds this GPU right, and it has compared something.
    #[wasm_bindgen_test]
    async fn gpu_parity() {
        let parity = parity(&Gpu.open().await.unwrap()).await.unwrap();
        assert!(parity.ok, "{parity:?}");
        assert!(parity.max_relative_error > 0.0, "two devices are never the same to the bit");
    }
}
