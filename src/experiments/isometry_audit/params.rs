//! How the networks of the audit are attacked.

use crate::attacks::Norm;
use crate::progress::Progress;
use crate::scale::Scale;

/// How every network is attacked.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditParams {
    /// The number of test images that are attacked, from the first on.
    pub images: usize,
    /// The radii in L∞, pixel units: 0.05, 0.1, 0.2, 0.3.
    pub linf: Vec<f64>,
    /// The radii in L2, pixel units: 1 and 2.
    pub l2: Vec<f64>,
    /// The radius in L∞ at which the *isometry* paper's attacker is shown beside AutoAttack, pixel
    /// units: 0.1. He takes ten steps of a quarter of it.
    pub paper_eps: f64,
    /// The steps of APGD, FAB and FMN: 100, AutoAttack's.
    pub steps: usize,
    /// The queries of Square: 5,000, AutoAttack's.
    pub queries: usize,
    /// The number of attacked images, from the first on, whose smallest changes are kept as images: 8.
    /// Of all the others only the distance is kept.
    pub kept_images: usize,
    /// Whether a progress bar shows how far the audit has come.
    pub progress: Progress,
}

impl AuditParams {
    /// The radii of a norm.
    pub(super) fn radii(&self, norm: Norm) -> &[f64] {
        match norm {
            Norm::LInf => &self.linf,
            Norm::L2 => &self.l2,
        }
    }

    /// The parameters at a scale.
    ///
    /// `quick`: 100 images, 20 steps, 200 queries. `default`: 200 images. `paper`: all 10,000.
    pub fn of(scale: Scale) -> Self {
        Self {
            images: scale.pick(100, 200, 10_000),
            linf: vec![0.05, 0.1, 0.2, 0.3],
            l2: vec![1., 2.],
            paper_eps: 0.1,
            steps: scale.pick(20, 100, 100),
            queries: scale.pick(200, 5_000, 5_000),
            kept_images: 8,
            progress: Progress::default(),
        }
    }
}
