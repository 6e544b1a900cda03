//! What both convolutions share: the shape, and what comes out of the backward pass.

/// A 3×3 convolution without padding, stride 1: `[n, ci, h, w]` to `[n, co, h − 2, w − 2]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv {
    /// Images.
    pub n: usize,
    /// Channels in.
    pub ci: usize,
    /// Channels out.
    pub co: usize,
    /// Rows in.
    pub h: usize,
    /// Columns in.
    pub w: usize,
}

impl Conv {
    /// Rows out.
    pub fn oh(&self) -> usize {
        self.h - 2
    }

    /// Columns out.
    pub fn ow(&self) -> usize {
        self.w - 2
    }

    /// Values of one image in.
    pub fn image_len(&self) -> usize {
        self.ci * self.h * self.w
    }

    /// Values of one image's output.
    pub fn output_len(&self) -> usize {
        self.co * self.oh() * self.ow()
    }

    /// Weights.
    pub fn weight_len(&self) -> usize {
        self.co * self.ci * 9
    }

    /// Checks that input, weights and bias are as long as the shape says.
    pub fn assert_lengths(&self, x: &[f32], w: &[f32], b_len: usize) {
        assert_eq!(x.len(), self.n * self.image_len(), "input of {self:?}");
        assert_eq!(w.len(), self.weight_len(), "weights of {self:?}");
        assert_eq!(b_len, self.co, "bias of {self:?}");
    }
}

/// Which gradients are wanted; the bias's comes with either.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// That by the input.
    pub x: bool,
    /// That by the weights.
    pub w: bool,
}

/// ConvGradients, those that were [`Wanted`].
#[derive(Debug)]
pub struct ConvGradients {
    /// By the input, `[n, ci, h, w]`.
    pub x: Option<Vec<f32>>,
    /// By the weights, `[co, ci, 3, 3]`.
    pub w: Option<Vec<f32>>,
    /// By the bias, `[co]`.
    pub b: Vec<f32>,
}

impl ConvGradients {
    /// All zero.
    pub fn zeros(s: &Conv, wanted: Wanted) -> Self {
        Self {
            x: wanted.x.then(|| vec![0.0; s.n * s.image_len()]),
            w: wanted.w.then(|| vec![0.0; s.weight_len()]),
            b: vec![0.0; s.co],
        }
    }
}
