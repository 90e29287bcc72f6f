//! Energies of the plane with saddles that are known from the literature.

use candle_core::{DType, Tensor};

use super::energy::{Energy, EnergyValues};
use crate::error::{Error, Result};

/// The Müller–Brown surface, an energy of the plane with three minima and two saddles.
///
/// ```text
/// V(x, y) = Σ_k A_k exp(a_k (x − x_k)² + b_k (x − x_k)(y − y_k) + c_k (y − y_k)²),   k = 1 … 4
/// margin  = level − V
///
/// A = −200, −100, −170, 15      a = −1, −1, −6.5, 0.7      b = 0, 0, 11, 0.6
/// c = −10, −10, −6.5, 0.7       x = 1, 0, −0.5, −1         y = 0, 0.5, 1.5, 1
/// ```
///
/// - **Shapes**: points (P, 2).
/// - **Range**: any (x, y); V ≥ −146.7, without a unit.
/// - **Source**: Müller & Brown, *Theor. Chim. Acta* 53, 75 (1979).
///
/// Minima at (−0.558, 1.442), (0.623, 0.028) and (−0.050, 0.467); saddles at (−0.822, 0.624) of
/// −40.665 and (0.212, 0.293) of −72.249.
///
/// ```
/// use isopath::paths::MullerBrown;
///
/// let (energy, slope) = MullerBrown::at(-0.822, 0.624);
/// assert!((energy + 40.665).abs() < 0.001);
/// // Flat at the saddle, to the digits of the place.
/// assert!(slope.iter().all(|slope| slope.abs() < 0.5));
/// ```
///
/// # Errors
/// Its methods as an [`Energy`] refuse points that are not (P, 2).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MullerBrown {
    /// The energy that a path must stay below. Default ∞: no limit.
    pub level: f64,
}

/// The London–Eyring–Polanyi–Sato surface of a collinear reaction A + BC → AB + C, an energy of two
/// distances, r_AB and r_BC, with r_AC = r_AB + r_BC.
///
/// ```text
/// V = Σ Q_i − √(Σ J_i² − Σ_{i<j} J_i J_j),   i over AB, BC, AC
/// Q_i = D_i / (2 s_i) · (3/2 e^{−2α(r_i − r₀)} − e^{−α(r_i − r₀)}),   J_i = D_i / (4 s_i) · (e^{−2α(r_i − r₀)} − 6 e^{−α(r_i − r₀)})
/// ```
///
/// - **Shapes**: points (P, 2), (r_AB, r_BC).
/// - **Range**: r > 0 in Å; V in eV.
/// - **Source**: Jónsson, Mills & Jacobsen 1998, appendix, model I; the *connectivity* paper's
///   reference 13.
///
/// D = 4.746, 4.746, 3.445 and s = 1.05, 1.30, 1.05 for AB, BC, AC; α = 1.942, r₀ = 0.742. Margin:
/// `level` − V.
///
/// # Errors
/// Its methods as an [`Energy`] refuse points that are not (P, 2).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Leps {
    /// The energy that a path must stay below. Default ∞: no limit.
    pub level: f64,
}

impl Default for MullerBrown {
    fn default() -> Self {
        Self {
            level: f64::INFINITY,
        }
    }
}

impl Default for Leps {
    fn default() -> Self {
        Self {
            level: f64::INFINITY,
        }
    }
}

impl MullerBrown {
    /// V and ∇V of the Müller–Brown surface at a point.
    pub fn at(x: f64, y: f64) -> (f64, [f64; 2]) {
        // A, a, b, c, x_k, y_k
        const TERMS: [[f64; 6]; 4] = [
            [-200., -1., 0., -10., 1., 0.],
            [-100., -1., 0., -10., 0., 0.5],
            [-170., -6.5, 11., -6.5, -0.5, 1.5],
            [15., 0.7, 0.6, 0.7, -1., 1.],
        ];
        TERMS.iter().fold(
            (0., [0., 0.]),
            |(v, [gx, gy]), [scale, a, b, c, x_k, y_k]| {
                let (dx, dy) = (x - x_k, y - y_k);
                let term = scale * (a * dx * dx + b * dx * dy + c * dy * dy).exp();
                (
                    v + term,
                    [
                        gx + term * (2. * a * dx + b * dy),
                        gy + term * (b * dx + 2. * c * dy),
                    ],
                )
            },
        )
    }
}

impl Leps {
    /// V and ∇V of the LEPS surface at a point, in eV and eV/Å.
    pub fn at(r_ab: f64, r_bc: f64) -> (f64, [f64; 2]) {
        const ALPHA: f64 = 1.942;
        const R0: f64 = 0.742;
        // Q and J of a pair of atoms with their derivatives in r.
        let pair = |depth: f64, sato: f64, r: f64| {
            let (e1, e2) = ((-ALPHA * (r - R0)).exp(), (-2. * ALPHA * (r - R0)).exp());
            let q = depth / (2. * sato) * (1.5 * e2 - e1);
            let q_r = depth / (2. * sato) * ALPHA * (e1 - 3. * e2);
            let j = depth / (4. * sato) * (e2 - 6. * e1);
            let j_r = depth / (4. * sato) * ALPHA * (6. * e1 - 2. * e2);
            (q, q_r, j, j_r)
        };
        let (q1, q1_r, j1, j1_r) = pair(4.746, 1.05, r_ab);
        let (q2, q2_r, j2, j2_r) = pair(4.746, 1.30, r_bc);
        let (q3, q3_r, j3, j3_r) = pair(3.445, 1.05, r_ab + r_bc);
        let root = (j1 * j1 + j2 * j2 + j3 * j3 - j1 * j2 - j2 * j3 - j1 * j3).sqrt();
        // ∂root/∂J_i = (2 J_i − J_j − J_k) / (2 root)
        let [s1, s2, s3] = [
            (2. * j1 - j2 - j3),
            (2. * j2 - j1 - j3),
            (2. * j3 - j1 - j2),
        ]
        .map(|s| s / (2. * root));
        let gradient = [
            q1_r + q3_r - s1 * j1_r - s3 * j3_r,
            q2_r + q3_r - s2 * j2_r - s3 * j3_r,
        ];
        (q1 + q2 + q3 - root, gradient)
    }
}

impl Energy for MullerBrown {
    fn values_and_gradients(&self, points: &Tensor, _: &[usize]) -> Result<(EnergyValues, Tensor)> {
        on_surface(Self::at, self.level, points)
    }
}

impl Energy for Leps {
    fn values_and_gradients(&self, points: &Tensor, _: &[usize]) -> Result<(EnergyValues, Tensor)> {
        on_surface(Self::at, self.level, points)
    }
}

fn on_surface(
    at: fn(f64, f64) -> (f64, [f64; 2]),
    level: f64,
    points: &Tensor,
) -> Result<(EnergyValues, Tensor)> {
    if points.rank() != 2 || points.dim(1)? != 2 {
        return Err(Error::shape("surface", "points", "(P, 2)", points.dims()));
    }
    let rows = points.to_dtype(DType::F64)?.to_vec2::<f64>()?;
    let (energy, gradients): (Vec<f64>, Vec<[f64; 2]>) =
        rows.iter().map(|row| at(row[0], row[1])).unzip();
    let margin = energy.iter().map(|energy| level - energy).collect();
    let gradients = Tensor::from_vec(gradients.concat(), points.shape(), points.device())?
        .to_dtype(points.dtype())?;
    Ok((EnergyValues { energy, margin }, gradients))
}
