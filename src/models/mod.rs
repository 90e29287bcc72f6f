//! Networks as sequences of stages. Every representation can be computed, and computation can continue from it.

mod along;
mod conv_mlp;
pub mod decoder;
mod enlarged;
mod history;
mod layer;
mod lipschitz_mlp;
pub mod locally_isometric;
pub mod mlp;
mod model;
mod network;
mod orthogonal;
pub mod parameters;
mod preprocessing;
pub mod pretrained;
mod representation;
mod rescaled;
pub mod resnet;
mod running;
mod spectral_mlp;
mod weights;

pub use along::Along;
pub use conv_mlp::ConvMlp;
pub use decoder::{Decoder, DecoderParams};
pub use enlarged::{Enlarged, enlarge};
pub use history::{Epoch, History};
pub use layer::Layer;
pub use lipschitz_mlp::{LipschitzMlp, almost_orthogonal};
pub use locally_isometric::{
    Head, LayerClassifier, LayerOutput, LocallyIsometric, LocallyIsometricParams,
};
pub use mlp::{Activation, Initialisation, Mlp};
pub use model::Model;
pub(crate) use network::evaluation;
pub use network::{Network, Shared};
pub use orthogonal::orthogonal;
pub use parameters::Parameters;
pub(crate) use parameters::{Origin, fitting};
pub use preprocessing::Normalised;
pub use representation::Representation;
pub use resnet::{ResNet, ResNetParams};
pub use spectral_mlp::{SpectralMlp, spectrally_normalised};
pub use weights::Weights;
