//! Saliency against central finite differences.

use glassbox::device::DeviceKind;
use glassbox::error::Error;
use glassbox::explain::{Attribute, Gradient, predicted};
use glassbox::model::{Net, images_on, presets};

/// The gradient of a class score is the limit of what a small change of a pixel does to it.
pub async fn matches_finite_differences(kind: DeviceKind) {
    let device = kind.open().await.unwrap();
    let net = Net::init(&presets::cnn("small", [4, 8, 16]), 5, &device).unwrap();
    let image: Vec<f32> = (0..784u16).map(|i| f32::from(i * 53 % 97) / 40.0 - 0.4).collect();
    for target in [0, 7] {
        let got = Gradient.attribute(&net, &image, Some(target), &device).await.unwrap();
        assert_eq!(got.values.len(), 784);
        // Pixels all over the image, changed each way, in one batch.
        let pixels: Vec<usize> = (0..784).step_by(13).collect();
        let h = 2e-3;
        let mut changed = Vec::new();
        for (pixel, sign) in pixels.iter().flat_map(|&pixel| [(pixel, 1.0), (pixel, -1.0)]) {
            let mut image = image.clone();
            image[pixel] += sign * h;
            changed.extend(image);
        }
        let logits = net.forward(images_on(changed, &device).unwrap());
        let logits = logits.into_data_async().await.unwrap().try_into_vec::<f32>().unwrap();
        let scores: Vec<f32> = logits.chunks_exact(10).map(|row| row[target]).collect();
        let want: Vec<f32> = scores.chunks_exact(2).map(|pair| (pair[0] - pair[1]) / (2.0 * h)).collect();
        let got: Vec<f32> = pixels.iter().map(|&pixel| got.values[pixel]).collect();
        // A step over a kink of ReLU or of pooling is off by as much as the slopes differ, so not
        // the largest error is held to the bar but the typical one.
        let scale = want.iter().fold(0.0_f32, |most, value| most.max(value.abs()));
        let mut errors: Vec<f32> = got.iter().zip(&want).map(|(a, b)| (a - b).abs() / scale).collect();
        errors.sort_by(f32::total_cmp);
        assert!(scale > 1e-3, "there is something to compare");
        assert!(errors[errors.len() * 9 / 10] < 0.01, "{errors:?}");
    }
}

/// Without a class, it is the predicted one; a class that is not there and a wrong image are errors.
pub async fn explains_the_prediction_unless_asked(kind: DeviceKind) {
    let device = kind.open().await.unwrap();
    let net = Net::init(&presets::cnn("small", [4, 8, 16]), 6, &device).unwrap();
    let image: Vec<f32> = (0..784u16).map(|i| f32::from(i % 29) / 14.0).collect();
    let own = Gradient.attribute(&net, &image, None, &device).await.unwrap();
    assert_eq!(own.target, predicted(&own.logits));
    let asked = Gradient.attribute(&net, &image, Some(own.target), &device).await.unwrap();
    assert_eq!(own, asked);
    let other = Gradient.attribute(&net, &image, Some((own.target + 1) % 10), &device).await.unwrap();
    assert!(own.values != other.values);
    let error = Gradient.attribute(&net, &image, Some(10), &device).await.unwrap_err();
    assert_eq!(error, Error::OutOfRange { what: "class", index: 10, count: 10 });
    let error = Gradient.attribute(&net, &image[1..], None, &device).await.unwrap_err();
    assert_eq!(error, Error::WrongLength { what: "image", expected: 784, got: 783 });
}
