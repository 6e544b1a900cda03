//! Tensors on the CPU changed where they lie, in one pass.

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;

use super::ops::is_ours;

/// Whether [`in_place`] takes a tensor: `f32` on the CPU, without autodiff.
pub fn changeable(tensor: &Tensor<1>) -> bool {
    is_ours(tensor) && !tensor.is_autodiff()
}

/// Lets `f` read one tensor and change others, and gives those. What is held elsewhere, too, is
/// copied before it is changed.
///
/// # Shapes
/// - all: `[N]`
///
/// # Panics
/// When one is not [`changeable`], or they differ in length.
pub fn in_place<const N: usize>(
    read: Tensor<1>,
    changed: [Tensor<1>; N],
    f: impl FnOnce(&[f32], [&mut [f32]; N]),
) -> [Tensor<1>; N] {
    assert!(changed.iter().all(|tensor| tensor.dims() == read.dims()), "tensors of one length");
    let read = taken(read);
    let mut changed = changed.map(taken);
    // One run each, so that the whole of the storage is the tensor.
    f(read.storage(), changed.each_mut().map(FlexTensor::storage_mut));
    changed.map(Tensor::from_primitive::<Flex>)
}

/// The tensor as one run; its own storage where it is one and nothing else holds it.
fn taken(tensor: Tensor<1>) -> FlexTensor {
    let tensor = tensor.try_into_primitive::<Flex>().expect("a changeable tensor");
    tensor.to_contiguous()
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, FloatDType};

    use super::*;

    fn tensor(values: [f32; 3]) -> Tensor<1> {
        Tensor::from_floats(values, &Device::flex())
    }

    fn values(tensor: Tensor<1>) -> Vec<f32> {
        tensor.into_data().try_into_vec().unwrap()
    }

    fn add(read: &[f32], [sum]: [&mut [f32]; 1]) {
        sum.iter_mut().zip(read).for_each(|(sum, value)| *sum += value);
    }

    #[test]
    fn what_is_held_elsewhere_stays() {
        let (read, held) = (tensor([1.0, 2.0, 3.0]), tensor([10.0, 20.0, 30.0]));
        let [sum] = in_place(read.clone(), [held.clone()], add);
        assert_eq!(values(sum), [11.0, 22.0, 33.0]);
        assert_eq!((values(read), values(held)), (vec![1.0, 2.0, 3.0], vec![10.0, 20.0, 30.0]));
    }

    #[test]
    fn views_are_changed_as_what_they_show() {
        let view = Tensor::<1>::from_floats([9.0, 1.0, 2.0, 3.0, 9.0], &Device::flex()).slice(1..4);
        let [sum] = in_place(view.clone().flip([0]), [view], add);
        assert_eq!(values(sum), [4.0, 4.0, 4.0]);
    }

    #[test]
    fn what_cannot_be_changed_is_known() {
        let plain = tensor([1.0, 2.0, 3.0]);
        assert!(changeable(&plain));
        assert!(!changeable(&plain.clone().autodiff()));
        assert!(!changeable(&plain.cast(FloatDType::F64)));
    }
}
