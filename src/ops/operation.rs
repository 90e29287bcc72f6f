//! The names of the operations.

use std::fmt;

macro_rules! operations {
    ($($variant:ident $name:ident)*) => {
        /// An operation with a fused kernel and a composite twin.
        ///
        /// A kernel states the one that it belongs to, and `tests/composite_twins.rs` has a `match`
        /// over all: what is added here without a test does not compile there.
        #[doc(hidden)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Operation {
            $(#[allow(missing_docs)] $variant,)*
        }

        impl Operation {
            /// All operations.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The name of the operation's function.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => stringify!($name),)*
                }
            }
        }
    };
}

operations! {
    Adam adam
    BandForces band_forces
    BandLengths band_lengths
    BandPoints band_points
    BatchNorm batch_norm
    BatchNormEval batch_norm_eval
    Conv2d conv2d
    Conv2dRelu conv2d_relu
    ConvTranspose2d conv_transpose2d
    ConvUnits conv_units
    CrossEntropies cross_entropies
    CrossEntropy cross_entropy
    GlobalAvgPool2d global_avg_pool2d
    GramSums gram_sums
    Isometric isometric
    IsometricTo isometric_to
    LeakyRelu leaky_relu
    Linear linear
    LinearTanh linear_tanh
    MaxPool2d max_pool2d
    RowNorms row_norms
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
