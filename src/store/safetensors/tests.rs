use super::*;
use ::safetensors::tensor::TensorView;

fn tensor(name: &str, shape: &[usize], values: &[f32]) -> NamedTensor {
    NamedTensor { name: name.to_owned(), shape: shape.to_vec(), values: values.to_vec() }
}

/// Halves that f16 holds exactly, in an order that is not that of the names.
fn halves() -> Vec<NamedTensor> {
    vec![
        tensor("fc1.weight", &[2, 3], &[0.5, -1.25, 2048.0, 65504.0, -0.000_061_035_156, 0.0]),
        tensor("conv1.bias", &[2], &[-0.0, 5.960_464_5e-8]),
        tensor("a \"quoted\" näme", &[], &[1.5]),
        tensor("none", &[0, 4], &[]),
    ]
}

fn notes() -> BTreeMap<String, String> {
    let pairs = [("glassbox", "{\"epoch\":3}"), ("a", "1"), ("z", "é"), ("m", "")];
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}

fn expected() -> Vec<(String, Vec<usize>)> {
    vec![("w".into(), vec![2, 2]), ("b".into(), vec![2])]
}

fn weights() -> Vec<NamedTensor> {
    vec![tensor("b", &[2], &[1.0, 2.0]), tensor("w", &[2, 2], &[1.0, 2.0, 3.0, 4.0])]
}

fn bits(tensors: &[NamedTensor]) -> Vec<u32> {
    tensors.iter().flat_map(|tensor| tensor.values.iter().map(|value| value.to_bits())).collect()
}

/// A file with one tensor of two values, written by the crate that others use.
fn foreign(dtype: FileDtype, data: &[u8]) -> Vec<u8> {
    let view = TensorView::new(dtype, vec![2], data).unwrap();
    ::safetensors::serialize([("x", view)], None).unwrap()
}

fn le<const N: usize>(values: [[u8; N]; 2]) -> Vec<u8> {
    values.concat()
}

#[test]
fn f32_comes_back_to_the_bit() {
    let mut tensors = halves();
    tensors.push(tensor("odd", &[4], &[0.1, f32::MIN_POSITIVE / 8.0, f32::MAX, f32::NEG_INFINITY]));
    let bytes = write(&tensors, &notes(), DType::F32).unwrap();
    let (got, metadata) = read(&bytes).unwrap();
    assert_eq!(got, tensors);
    assert_eq!(bits(&got), bits(&tensors), "minus zero too");
    assert_eq!(metadata, notes());
}

#[test]
fn f16_keeps_halves_exactly_in_half_the_bytes() {
    let (single, half) = (write(&halves(), &notes(), DType::F32), write(&halves(), &notes(), DType::F16));
    let (single, half) = (single.unwrap(), half.unwrap());
    assert_eq!(bits(&read(&half).unwrap().0), bits(&halves()));
    assert!(half.len() < single.len());
}

#[test]
fn f16_rounds_to_nearest_and_refuses_what_is_too_large() {
    let round = write(&[tensor("x", &[1], &[0.1])], &BTreeMap::new(), DType::F16).unwrap();
    assert_eq!(read(&round).unwrap().0[0].values, [0.099_975_586]);
    let error = write(&[tensor("x", &[3], &[1.0, 70_000.0, -1e9])], &BTreeMap::new(), DType::F16);
    assert_eq!(error, Err(Error::WeightsNotFinite { name: "x".into(), count: 2 }));
}

#[test]
fn the_same_input_gives_the_same_aligned_bytes() {
    let bytes = write(&halves(), &notes(), DType::F32).unwrap();
    assert_eq!(bytes, write(&halves(), &notes(), DType::F32).unwrap());
    let header_bytes = u64::from_le_bytes(bytes[..8].try_into().unwrap());
    assert_eq!(header_bytes % 8, 0);
    let header = std::str::from_utf8(&bytes[8..8 + header_bytes as usize]).unwrap();
    assert!(header.find("fc1.weight").unwrap() < header.find("conv1.bias").unwrap(), "the order given");
    assert!(header.starts_with("{\"__metadata__\":{\"a\":\"1\",\"glassbox\":"));
}

#[test]
fn nothing_at_all_is_a_file_too() {
    let bytes = write(&[], &BTreeMap::new(), DType::F32).unwrap();
    assert_eq!(read(&bytes).unwrap(), (vec![], BTreeMap::new()));
}

#[test]
fn other_types_of_floats_become_f32() {
    let bf16 = [bf16::from_f32(1.5), bf16::from_f32(-256.0)].map(bf16::to_le_bytes);
    assert_eq!(read(&foreign(FileDtype::BF16, &le(bf16))).unwrap().0[0].values, [1.5, -256.0]);
    let f64 = [0.1f64, -1e10].map(f64::to_le_bytes);
    assert_eq!(read(&foreign(FileDtype::F64, &le(f64))).unwrap().0[0].values, [0.1f32, -1e10]);
    let f16 = [f16::from_f32(0.25), f16::from_f32(-3.0)].map(f16::to_le_bytes);
    assert_eq!(read(&foreign(FileDtype::F16, &le(f16))).unwrap().0[0].values, [0.25, -3.0]);
    let error = read(&foreign(FileDtype::I64, &le([1i64, 2].map(i64::to_le_bytes)))).unwrap_err();
    assert!(matches!(&error, Error::SafetensorsInvalid { reason } if reason.contains("x holds I64")));
}

#[test]
fn what_cannot_be_written_is_refused() {
    let short = write(&[tensor("x", &[2, 3], &[1.0; 5])], &BTreeMap::new(), DType::F32);
    let what = "a tensor's values";
    assert_eq!(short, Err(Error::WrongLength { what, expected: 6, got: 5 }));
    let twice = [tensor("x", &[1], &[1.0]), tensor("x", &[1], &[2.0])];
    assert_eq!(write(&twice, &BTreeMap::new(), DType::F32).unwrap_err().code(), "safetensors_invalid");
    let notes = [tensor(METADATA, &[1], &[1.0])];
    assert_eq!(write(&notes, &BTreeMap::new(), DType::F32).unwrap_err().code(), "safetensors_invalid");
}

#[test]
fn corrupt_bytes_are_an_error_and_never_a_panic() {
    let bytes = write(&halves(), &notes(), DType::F32).unwrap();
    for end in 0..bytes.len() {
        assert_eq!(read(&bytes[..end]).unwrap_err().code(), "safetensors_invalid", "cut off at {end}");
    }
    let longer = [bytes.as_slice(), &[0]].concat();
    assert_eq!(read(&longer).unwrap_err().code(), "safetensors_invalid");
    // Each byte of the header spoilt: whatever comes of it, no panic.
    let header_bytes = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    for position in 0..8 + header_bytes {
        for value in [0, b'9', b'"', b'{', 0xff] {
            let mut spoilt = bytes.clone();
            spoilt[position] = value;
            let _ = read(&spoilt);
        }
    }
    for header in ["[]", "{", "{\"x\":{\"dtype\":\"F32\",\"shape\":[18446744073709551615,9],\"data_offsets\":[0,8]}}"] {
        let file = [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &[0; 8]].concat();
        assert_eq!(read(&file).unwrap_err().code(), "safetensors_invalid", "{header}");
    }
    assert_eq!(read(&[0xff; 64]).unwrap_err().code(), "safetensors_invalid");
    assert_eq!(read(b"").unwrap_err().code(), "safetensors_invalid");
}

#[test]
fn what_is_wrong_with_a_file_is_said_in_plain_words() {
    let bytes = write(&halves(), &notes(), DType::F32).unwrap();
    let said = |bytes: &[u8]| read(bytes).unwrap_err().to_string();
    assert_eq!(said(b""), "this is no valid safetensors file: it is empty, or nearly so");
    assert!(said(b"<!doctype html><title>Not found</title>").contains("a web page"));
    assert!(said(&bytes[..20]).contains("ends too early"));
    assert!(said(&bytes[..bytes.len() - 1]).contains("cut off"));
}

#[test]
fn check_takes_the_right_tensors_in_any_order() {
    assert_eq!(check(&weights(), &expected()), Ok(()));
}

#[test]
fn check_names_what_is_wrong() {
    let mut missing = weights();
    missing.remove(0);
    missing.push(tensor("c", &[1], &[f32::NAN]));
    assert_eq!(check(&missing, &expected()), Err(Error::WeightsMissing { names: vec!["b".into()] }));

    let mut unexpected = weights();
    unexpected[1].shape = vec![4];
    unexpected.push(tensor("c", &[1], &[1.0]));
    assert_eq!(check(&unexpected, &expected()), Err(Error::WeightsUnexpected { names: vec!["c".into()] }));
    let twice = [weights(), vec![weights().remove(0)]].concat();
    assert_eq!(check(&twice, &expected()), Err(Error::WeightsUnexpected { names: vec!["b".into()] }));

    let mut shape = weights();
    shape[1].shape = vec![4];
    shape[0].values[0] = f32::NAN;
    let error = Error::WeightsShape { name: "w".into(), expected: vec![2, 2], got: vec![4] };
    assert_eq!(check(&shape, &expected()), Err(error));

    let mut short = weights();
    short[1].values.pop();
    assert_eq!(check(&short, &expected()).unwrap_err().code(), "wrong_length");

    let mut infinite = weights();
    infinite[1].values[1] = f32::NAN;
    infinite[1].values[3] = f32::INFINITY;
    assert_eq!(check(&infinite, &expected()), Err(Error::WeightsNotFinite { name: "w".into(), count: 2 }));
}
