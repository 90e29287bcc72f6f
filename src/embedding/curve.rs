//! The curve that turns a distance in the plane into a membership strength.

/// How many points the curve is fitted at, from 0 to three.
const POINTS: usize = 300;
const STEPS: usize = 200;

/// The (a, b) for which 1 / (1 + a·x^(2b)) is closest, in least squares over 300 points of [0, 3],
/// to 1 where x < `min_dist` and exp(−(x − `min_dist`)) beyond: umap-learn's `find_ab_params` with
/// spread 1.
///
/// Levenberg and Marquardt's method from a = b = 1.
pub(super) fn fit(min_dist: f64) -> (f64, f64) {
    let x = |index: usize| 3. * index as f64 / (POINTS - 1) as f64;
    let wanted = |x: f64| {
        if x < min_dist {
            1.
        } else {
            (min_dist - x).exp()
        }
    };
    let error = |a: f64, b: f64| -> f64 {
        (0..POINTS)
            .map(x)
            .map(|x| (curve(a, b, x) - wanted(x)).powi(2))
            .sum()
    };
    let (mut a, mut b, mut damping) = (1., 1., 1e-3);
    let mut best = error(a, b);
    for _ in 0..STEPS {
        // JᵀJ and Jᵀr of the residuals r.
        let (mut aa, mut ab, mut bb, mut ar, mut br) = (0., 0., 0., 0., 0.);
        // At x = 0 the curve is 1 whatever a and b.
        for x in (1..POINTS).map(x) {
            let value = curve(a, b, x);
            let (by_a, residual) = (-value * value * x.powf(2. * b), value - wanted(x));
            let by_b = by_a * a * 2. * x.ln();
            aa += by_a * by_a;
            ab += by_a * by_b;
            bb += by_b * by_b;
            ar += by_a * residual;
            br += by_b * residual;
        }
        let (aa, bb) = (aa * (1. + damping), bb * (1. + damping));
        let determinant = aa * bb - ab * ab;
        let (next_a, next_b) = (
            a - (bb * ar - ab * br) / determinant,
            b - (aa * br - ab * ar) / determinant,
        );
        let found = error(next_a, next_b);
        if next_a > 0. && next_b > 0. && found < best {
            (a, b, best, damping) = (next_a, next_b, found, damping / 10.);
        } else {
            damping *= 10.;
        }
    }
    (a, b)
}

fn curve(a: f64, b: f64, x: f64) -> f64 {
    1. / (1. + a * x.powf(2. * b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fit_is_umap_learns() {
        // umap-learn 0.5.12: [umap.umap_.find_ab_params(1.0, d) for d in (0.0, 0.1, 0.25, 0.5,
        // 0.99)]
        for (min_dist, a, b) in [
            (0., 1.932808, 0.790495),
            (0.1, 1.576943, 0.895061),
            (0.25, 1.121436, 1.057500),
            (0.5, 0.583030, 1.334167),
            (0.99, 0.119305, 1.916390),
        ] {
            let found = fit(min_dist);
            // scipy stops when a step changes the error by less than 1e-8 of it.
            assert!(
                (found.0 - a).abs() < 1e-5 && (found.1 - b).abs() < 1e-5,
                "{min_dist}: {found:?}"
            );
        }
    }
}
