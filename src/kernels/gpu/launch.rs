//! Kernels in WGSL, started on the tensors of Burn's WebGPU backend.
//!
//! The text goes to the browser as it is: neither CubeCL's compiler nor its tuning is in between, so
//! that a kernel is ready as soon as the browser has compiled it.

use std::fmt::{Debug, Write as _};
use std::hash::Hash;

use burn::backend::wgpu::CubeTensor;
use burn::backend::{DType, Shape, TensorMetadata};
use burn_cubecl::cubecl::ir::attributes::BufferIOAttr;
use burn_cubecl::cubecl::ir::metadata::Info;
use burn_cubecl::cubecl::ir::settings::Dim3;
use burn_cubecl::cubecl::ir::{ElemType, Scope, UIntKind};
use burn_cubecl::cubecl::prelude::{
    AddressType, CubeCount, ExecutionMode, KernelDefinition, KernelId, KernelMetadata, KernelSettings,
};
use burn_cubecl::cubecl::server::{KernelArguments, MetadataBindingInfo};
use burn_cubecl::cubecl::{CubeKernel, PrecompiledSource};

/// A kernel: what its text follows from, and what tells it from other kernels. What differs between
/// programs that are equal is not seen.
pub trait Program: Clone + Debug + Eq + Hash + Send + Sync + 'static {
    /// Buffers read, buffers written (name and type of element each), and how many numbers there are.
    fn interface(&self) -> Interface;

    /// Threads of a workgroup.
    fn threads(&self) -> u32;

    /// Everything but the bindings.
    fn text(&self) -> String;
}

/// What a program is bound to, in the order of [`launch`].
pub struct Interface {
    /// `name: element`, read.
    pub read: Vec<(&'static str, &'static str)>,
    /// `name: element`, written.
    pub written: Vec<(&'static str, &'static str)>,
    /// Whether there are numbers: `numbers: array<vec4<u32>, 2>`.
    pub numbers: bool,
}

/// Numbers for a launch, which a program finds in `numbers`.
pub const NUMBERS: usize = 8;

/// Threads of a workgroup where each does an element.
pub const EACH: usize = 256;
/// Elements that a row of workgroups does, 256 each: WebGPU takes 65,535 of them at most.
pub const ROW_MAX: usize = 65_535 * EACH;

/// Starts `program` in a grid of workgroups.
pub fn launch<P: Program>(
    program: P,
    [x, y, z]: [usize; 3],
    read: &[&CubeTensor],
    written: &[&CubeTensor],
    numbers: &[u32],
) {
    let any = written[0];
    let mut arguments = KernelArguments::new();
    for (tensors, io) in [(read, BufferIOAttr::ReadOnly), (written, BufferIOAttr::WriteOnly)] {
        for tensor in tensors {
            arguments = arguments.with_buffer_io(tensor.handle.clone().binding(), io);
        }
    }
    if !numbers.is_empty() {
        let mut words = [0_u32; NUMBERS];
        words[..numbers.len()].copy_from_slice(numbers);
        let pairs = words.chunks_exact(2).map(|pair| u64::from(pair[0]) | u64::from(pair[1]) << 32);
        arguments = arguments.with_info(MetadataBindingInfo::custom(pairs.collect()));
    }
    #[allow(clippy::cast_possible_truncation)] // bounded by the caller
    let count = CubeCount::Static(x as u32, y as u32, z as u32);
    any.client.launch(Box::new(Kernel(program)), count, arguments);
}

/// A tensor without values yet, on the device of another.
pub fn empty(like: &CubeTensor, shape: impl Into<Shape>) -> CubeTensor {
    let shape = shape.into();
    let handle = like.client.empty(shape.num_elements() * size_of::<f32>());
    CubeTensor::new_contiguous(like.client.clone(), like.device(), shape, handle, DType::F32)
}

/// A number as its bits, for [`launch`].
pub fn bits(value: usize) -> u32 {
    u32::try_from(value).expect("a number that WGSL can hold")
}

#[derive(Debug)]
struct Kernel<P>(P);

impl<P: Program> Kernel<P> {
    fn dim(&self) -> Dim3 {
        Dim3 { x: self.0.threads(), y: 1, z: 1 }
    }
}

impl<P: Program> KernelMetadata for Kernel<P> {
    fn id(&self) -> KernelId {
        KernelId::new::<Self>().info(self.0.clone()).cube_dim(self.dim())
    }

    fn address_type(&self) -> ElemType {
        UIntKind::U32.into()
    }
}

impl<P: Program> CubeKernel for Kernel<P> {
    fn define(&self) -> KernelDefinition {
        // Nothing for CubeCL to compile: `source` has the text.
        let settings = KernelSettings::new(self.dim(), ExecutionMode::Checked, AddressType::U32);
        KernelDefinition { body: Scope::root(settings.clone()), settings, info: Info::default() }
    }

    fn source(&self) -> Option<PrecompiledSource> {
        let interface = self.0.interface();
        let mut source = String::new();
        // As CubeCL binds them: natively tensors share buffers, which then cannot be bound both ways at once.
        let shared = cfg!(not(target_arch = "wasm32"));
        let read = interface.read.iter().map(|buffer| (if shared { "read_write" } else { "read" }, buffer));
        let written = interface.written.iter().map(|buffer| ("read_write", buffer));
        for (binding, (access, (name, element))) in read.chain(written).enumerate() {
            let _ = writeln!(source, "@group(0) @binding({binding}) var<storage, {access}> {name}: array<{element}>;");
        }
        if interface.numbers {
            let binding = interface.read.len() + interface.written.len();
            let _ = writeln!(source, "@group(0) @binding({binding}) var<uniform> numbers: array<vec4<u32>, 2>;");
        }
        source.push_str(&self.0.text());
        Some(PrecompiledSource { source, entrypoint_name: "main".into(), lang: "wgsl" })
    }
}
