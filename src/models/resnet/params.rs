//! The parameters of residual networks.

use crate::error::{Error, Result};

/// The block of convolutions that a residual stage repeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block {
    /// Two 3×3 convolutions, for depths 18 and 34.
    Basic,
    /// Convolutions of 1×1, 3×3 and 1×1, the last with four times the channels, for depths 50, 101
    /// and 152.
    Bottleneck,
}

impl Block {
    /// The number of output channels of a block for each of its inner ones: 1 or 4.
    pub fn expansion(self) -> usize {
        match self {
            Self::Basic => 1,
            Self::Bottleneck => 4,
        }
    }
}

/// The layers before the first residual stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stem {
    /// A 7×7 convolution with stride 2, then a 3×3 maximum with stride 2: torchvision's, for
    /// 224×224 pixels.
    Imagenet,
    /// A 3×3 convolution with stride 1 and no maximum, for 32×32 pixels.
    Cifar,
}

/// The shape of a [`ResNet`](super::ResNet).
#[derive(Clone, Debug, PartialEq)]
pub struct ResNetParams {
    /// The block that a stage repeats.
    pub block: Block,
    /// The number of blocks in each of the four stages.
    pub depths: [usize; 4],
    /// The number of channels of the stem, and of inner channels of the first stage; each stage
    /// doubles them. torchvision's networks have 64.
    pub width: usize,
    /// The layers before the first stage.
    pub stem: Stem,
    /// The number of logits.
    pub classes: usize,
    /// The mean of red, green and blue that is subtracted from the pixels, in \[0, 1\].
    pub mean: [f64; 3],
    /// The standard deviation of red, green and blue by which the rest is divided, above 0.
    pub std: [f64; 3],
    /// Whether the factors of every block's last normalisation are drawn as 0, so that each block
    /// begins as the identity (torchvision's option of that name; Goyal et al. 2017).
    pub zero_init_residual: bool,
}

impl ResNetParams {
    /// torchvision's network of `depth` 18, 34, 50, 101 or 152: width 64, stem for 224×224 pixels,
    /// 1000 classes, the mean and deviation of ImageNet.
    ///
    /// # Errors
    /// Another depth.
    pub fn of_depth(depth: usize) -> Result<Self> {
        let (block, depths) = match depth {
            18 => (Block::Basic, [2, 2, 2, 2]),
            34 => (Block::Basic, [3, 4, 6, 3]),
            50 => (Block::Bottleneck, [3, 4, 6, 3]),
            101 => (Block::Bottleneck, [3, 4, 23, 3]),
            152 => (Block::Bottleneck, [3, 8, 36, 3]),
            _ => return Err(Error::argument("depth", "18, 34, 50, 101 or 152", depth)),
        };
        Ok(Self {
            block,
            depths,
            width: 64,
            stem: Stem::Imagenet,
            classes: 1000,
            mean: [0.485, 0.456, 0.406],
            std: [0.229, 0.224, 0.225],
            zero_init_residual: false,
        })
    }

    /// A network of `depth` and `width` for CIFAR-10: stem for 32×32 pixels, 10 classes, mean and
    /// deviation of its training images, blocks that begin as the identity.
    ///
    /// # Errors
    /// As [`ResNetParams::of_depth`].
    pub fn cifar10(depth: usize, width: usize) -> Result<Self> {
        Ok(Self {
            width,
            stem: Stem::Cifar,
            classes: 10,
            mean: [0.4914, 0.4822, 0.4465],
            std: [0.2470, 0.2435, 0.2616],
            zero_init_residual: true,
            ..Self::of_depth(depth)?
        })
    }

    /// The number of channels after the last residual stage: 2048 for ResNet-50.
    pub fn features(&self) -> usize {
        8 * self.width * self.block.expansion()
    }

    /// Checks the range of every parameter.
    ///
    /// # Errors
    /// A stage without blocks, no channels or classes, a mean outside \[0, 1\], a deviation that is
    /// not above 0.
    pub fn validate(&self) -> Result<()> {
        if self.depths.contains(&0) {
            return Err(Error::argument(
                "depths",
                "at least one block in every stage",
                format!("{:?}", self.depths),
            ));
        }
        for (name, value, most) in [
            ("width", self.width, 65_536),
            ("classes", self.classes, 1 << 24),
        ] {
            if !(1..=most).contains(&value) {
                return Err(Error::argument(name, format!("from 1 to {most}"), value));
            }
        }
        if let Some(mean) = self
            .mean
            .into_iter()
            .find(|mean| !(0. ..=1.).contains(mean))
        {
            return Err(Error::argument("mean", "numbers in [0, 1]", mean));
        }
        match self
            .std
            .into_iter()
            .find(|std| !(*std > 0. && std.is_finite()))
        {
            Some(std) => Err(Error::argument("std", "finite numbers > 0", std)),
            None => Ok(()),
        }
    }
}
