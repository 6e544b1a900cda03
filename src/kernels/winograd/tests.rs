//! The kernels against the definition.

use super::*;
use crate::kernels::naive::{self, assert_near, numbers, wide};

/// The net's own shape, then others: one row of tiles, half a block of tiles, more channels out or in.
const SHAPES: [Conv; 5] = [
    Conv { n: 2, ci: 32, co: 64, h: 26, w: 26 },
    Conv { n: 1, ci: 4, co: 4, h: 4, w: 10 },
    Conv { n: 3, ci: 4, co: 8, h: 6, w: 18 },
    Conv { n: 1, ci: 12, co: 4, h: 8, w: 10 },
    Conv { n: 2, ci: 4, co: 12, h: 10, w: 34 },
];

#[test]
fn shapes_that_do_not_fit_are_known() {
    assert!(SHAPES.iter().all(supported));
    let s = SHAPES[0];
    for other in [
        Conv { n: 0, ..s },
        Conv { ci: 1, ..s },
        Conv { ci: 0, ..s },
        Conv { co: 10, ..s },
        Conv { h: 25, ..s },
        Conv { h: 2, ..s },
        Conv { w: 24, ..s },
        Conv { w: 1, ..s },
    ] {
        assert!(!supported(&other), "{other:?}");
    }
}

#[test]
fn both_passes_match_the_definition() {
    for s in SHAPES {
        let x = numbers(s.n * s.image_len(), 1);
        let (w, b) = (numbers(s.weight_len(), 2), numbers(s.co, 3));
        let full = naive::conv_relu(&s, &wide(&x), &wide(&w), &wide(&b));
        let (want, indices) = naive::max_pool(s.n * s.co, s.oh(), s.ow(), &full);
        let Pooled { y, from } = forward(&s, &x, &w, &b);
        assert_near(&format!("{s:?} y"), &y, &want, 1e-6);

        let dy = numbers(y.len(), 4);
        let mut full_dy = vec![0.0; full.len()];
        for (i, &index) in indices.iter().enumerate() {
            full_dy[index] = f64::from(dy[i]);
            // Row by row: the index's place in its window.
            let (row, column) = (index / s.ow() % s.oh(), index % s.ow());
            let place = (row % 2 * 2 + column % 2) as f32;
            assert!(from[i] == if y[i] > 0.0 { place } else { 4.0 }, "{s:?} {i}: from {}", from[i]);
        }
        let [dx, dw, db] = naive::conv_relu_backward(&s, &wide(&x), &wide(&w), &full, &full_dy);
        let got = backward(&s, &x, &w, &from, &dy, Wanted { x: true, w: true });
        assert_near(&format!("{s:?} dx"), &got.x.unwrap(), &dx, 1e-6);
        assert_near(&format!("{s:?} dw"), &got.w.unwrap(), &dw, 1e-6);
        assert_near(&format!("{s:?} db"), &got.b, &db, 1e-6);
    }
}

#[test]
fn the_first_of_equals_is_taken_and_zero_is_cut_off() {
    let s = SHAPES[2];
    let (x, w) = (numbers(s.n * s.image_len(), 1), vec![0.0; s.weight_len()]);
    let bias: Vec<f32> = (0..s.co).map(|o| [1.0, 0.0, -1.0][o % 3]).collect();
    let pooled = forward(&s, &x, &w, &bias);
    let windows = s.oh() * s.ow() / 4;
    for (channel, (y, from)) in pooled.y.chunks(windows).zip(pooled.from.chunks(windows)).enumerate() {
        let want = if bias[channel % s.co] > 0.0 { (1.0, 0.0) } else { (0.0, 4.0) };
        assert_eq!((y, from), (&vec![want.0; windows][..], &vec![want.1; windows][..]));
    }
}

#[test]
fn only_what_is_wanted_is_given() {
    let s = SHAPES[3];
    let (x, w) = (numbers(s.n * s.image_len(), 1), numbers(s.weight_len(), 2));
    let dy = numbers(s.n * s.output_len() / 4, 3);
    let from = vec![2.0; dy.len()];
    let both = backward(&s, &x, &w, &from, &dy, Wanted { x: true, w: true });
    let by_input = backward(&s, &x, &w, &from, &dy, Wanted { x: true, w: false });
    assert_eq!((by_input.x, by_input.w), (both.x, None));
    let by_weights = backward(&s, &x, &w, &from, &dy, Wanted { x: false, w: true });
    assert_eq!((by_weights.x, by_weights.w), (None, both.w));
}

#[test]
fn nan_is_not_hidden() {
    let s = SHAPES[1];
    let mut x = numbers(s.image_len(), 1);
    x[0] = f32::NAN;
    let pooled = forward(&s, &x, &numbers(s.weight_len(), 2), &vec![0.0; s.co]);
    assert!(pooled.y[0].is_nan());
}
