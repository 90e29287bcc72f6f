//! The isometric loss: its values and laws, and the distances under it. `isometric_fused.rs`
//! compares the two kernels.

mod common;

use common::{CPU, assert_close, message, values, wave};
use isopath::Result;
use isopath::candle::{DType, Tensor, Var};
use isopath::distances::{Cosine, Distance, Euclidean, Manhattan};
use isopath::ops::{isometric, isometric_composite};
use isopath::rng::Rng;

type Op = fn(&Tensor, &Tensor, &[u32], &dyn Distance) -> Result<Tensor>;

/// The value and both gradients; no gradient counts as 0.
fn with_gradients(
    op: Op,
    x: &Var,
    z: &Var,
    cells: &[u32],
    distance: &dyn Distance,
) -> Result<[Vec<f64>; 3]> {
    // Not 1, so that a kernel that forgets what flows back is found.
    let loss = (op(x, z, cells, distance)? * 3.)?;
    let gradients = loss.backward()?;
    let gradient = |v: &Var| gradients.get(v).map_or(vec![0.; v.elem_count()], values);
    Ok([
        vec![loss.to_dtype(DType::F64)?.to_scalar()?],
        gradient(x),
        gradient(z),
    ])
}

fn points(seed: u64, n: usize, width: usize, dtype: DType) -> Result<Var> {
    Ok(Var::from_tensor(&Rng::new(seed).normal(
        (n, width),
        0.,
        1.,
        dtype,
        CPU,
    )?)?)
}

/// ```python
/// import torch                                                    # 2.15.0
/// torch.set_default_dtype(torch.float64)
/// def wave(*shape, start):
///     n = torch.Size(shape).numel()
///     return torch.sin(torch.arange(n) + start).reshape(shape)
/// def iso(x, z, cells):
///     cells, exact = torch.tensor(cells), dict(compute_mode="donot_use_mm_for_euclid_dist")
///     g = (cells[:, None] == cells[None, :]).double()
///     return (g * (torch.cdist(x, x, **exact) - torch.cdist(z, z, **exact))).square().sum() / len(x) ** 2
/// x, z = wave(6, 3, start=0).requires_grad_(), wave(6, 2, start=0.5).requires_grad_()
/// loss = iso(x, z, [0, 1, 0, 2, 1, 0])
/// loss.backward()
/// print(loss.item(), x.grad.tolist(), z.grad.tolist())
/// ```
#[test]
fn value_and_gradients_are_those_of_pytorch() -> Result<()> {
    let (x, z) = (
        Var::from_tensor(&wave(&[6, 3], 0.)?)?,
        Var::from_tensor(&wave(&[6, 2], 0.5)?)?,
    );
    let gradient_x = [
        [
            -0.1699849172216771,
            -0.11483350055686735,
            0.04589530693810567,
        ],
        [
            0.06450625324214392,
            -0.1120299353565991,
            -0.1855663180410022,
        ],
        [0.07635699632132416, 0.2092091771487955, 0.14971540532321645],
        [0.0, 0.0, 0.0],
        [-0.06450625324214392, 0.1120299353565991, 0.1855663180410022],
        [
            0.09362792090035295,
            -0.09437567659192814,
            -0.19561071226132212,
        ],
    ];
    let gradient_z = [
        [0.139251854513846, 0.16323877277349763],
        [0.1328254230079178, 0.18304105691730876],
        [-0.01712434091438665, -0.3683822862088869],
        [0.0, 0.0],
        [-0.1328254230079178, -0.18304105691730876],
        [-0.12212751359945935, 0.20514351343538925],
    ];
    for op in [isometric as Op, isometric_composite] {
        let [value, x, z] = with_gradients(op, &x, &z, &[0, 1, 0, 2, 1, 0], &Euclidean)?;
        let thrice = |numbers: &[f64]| numbers.iter().map(|v| 3. * v).collect::<Vec<_>>();
        assert_close(&value, &[3. * 0.6899269477880589], 1e-14);
        assert_close(&x, &thrice(gradient_x.as_flattened()), 1e-14);
        assert_close(&z, &thrice(gradient_z.as_flattened()), 1e-14);
    }
    Ok(())
}

#[test]
fn gradients_are_slopes_for_every_distance() -> Result<()> {
    let cells = [0, 1, 0, 1, 1, 2];
    let (x, z) = (points(3, 6, 4, DType::F64)?, points(4, 6, 3, DType::F64)?);
    let h = 1e-6;
    for distance in [&Euclidean as &dyn Distance, &Manhattan, &Cosine] {
        for op in [isometric as Op, isometric_composite] {
            let [_, gradient_x, gradient_z] = with_gradients(op, &x, &z, &cells, distance)?;
            let at = |x: &Tensor, z: &Tensor| -> Result<f64> {
                Ok(3. * op(x, z, &cells, distance)?.to_scalar::<f64>()?)
            };
            let moved = |v: &Var, index: usize, by: f64| -> Result<Tensor> {
                let mut numbers = values(v);
                numbers[index] += by;
                Ok(Tensor::from_vec(numbers, v.shape(), CPU)?)
            };
            for (index, gradient) in gradient_x.iter().enumerate() {
                let slope =
                    (at(&moved(&x, index, h)?, &z)? - at(&moved(&x, index, -h)?, &z)?) / (2. * h);
                assert!(
                    (slope - gradient).abs() < 1e-8,
                    "{distance:?} x {index}: {gradient} {slope}"
                );
            }
            for (index, gradient) in gradient_z.iter().enumerate() {
                let slope =
                    (at(&x, &moved(&z, index, h)?)? - at(&x, &moved(&z, index, -h)?)?) / (2. * h);
                assert!(
                    (slope - gradient).abs() < 1e-8,
                    "{distance:?} z {index}: {gradient} {slope}"
                );
            }
        }
    }
    Ok(())
}

#[test]
fn isometries_lose_nothing() -> Result<()> {
    let x = points(5, 40, 2, DType::F64)?;
    let (sin, cos) = 0.7f64.sin_cos();
    // A turn, a shift, and a coordinate that is always 0.
    let turn = Tensor::new(&[[cos, sin, 0.], [-sin, cos, 0.]], CPU)?;
    let z = (x.matmul(&turn)? + 5.)?;
    for op in [isometric as Op, isometric_composite] {
        assert!(op(&x, &z, &[0; 40], &Euclidean)?.to_scalar::<f64>()? < 1e-28);
        // Twice as large: Σ d²/N², which is twice the variance of the points (about their mean).
        let doubled = op(&x, &(&z * 2.)?, &[0; 40], &Euclidean)?.to_scalar::<f64>()?;
        let variance = x
            .broadcast_sub(&x.mean_keepdim(0)?)?
            .sqr()?
            .sum_all()?
            .to_scalar::<f64>()?
            / 40.;
        assert!((doubled - 2. * variance).abs() < 1e-12);
    }
    Ok(())
}

#[test]
fn order_of_points_and_names_of_cells_do_not_matter() -> Result<()> {
    let n = 33;
    let (x, z) = (points(6, n, 5, DType::F64)?, points(7, n, 4, DType::F64)?);
    let cells: Vec<u32> = (0..n as u32).map(|i| i % 4).collect();
    let order = Rng::new(8).permutation(n);
    let index = Tensor::new(order.iter().map(|&i| i as u32).collect::<Vec<_>>(), CPU)?;
    let renamed: Vec<u32> = order.iter().map(|&i| 4_000_000_000 - cells[i]).collect();
    let shuffled = |v: &Var| -> Result<Var> { Ok(Var::from_tensor(&v.index_select(&index, 0)?)?) };
    for op in [isometric as Op, isometric_composite] {
        let plain = with_gradients(op, &x, &z, &cells, &Euclidean)?;
        let other = with_gradients(op, &shuffled(&x)?, &shuffled(&z)?, &renamed, &Euclidean)?;
        assert_close(&other[0], &plain[0], 1e-14);
        for (got, plain, width) in [(&other[1], &plain[1], 5), (&other[2], &plain[2], 4)] {
            let expected: Vec<f64> = order
                .iter()
                .flat_map(|&i| plain[i * width..(i + 1) * width].to_vec())
                .collect();
            assert_close(got, &expected, 1e-14);
        }
    }
    Ok(())
}

#[test]
fn equal_points_give_no_nan() -> Result<()> {
    let x = Var::from_tensor(&Tensor::new(
        &[[1., 2.], [1., 2.], [0., 0.], [0., 0.]],
        CPU,
    )?)?;
    let z = Var::from_tensor(&Tensor::new(
        &[[0., 0.], [0., 0.], [3., 1.], [0., 0.]],
        CPU,
    )?)?;
    for dtype in [DType::F64, DType::F32] {
        let (x, z) = (
            Var::from_tensor(&x.to_dtype(dtype)?)?,
            Var::from_tensor(&z.to_dtype(dtype)?)?,
        );
        for distance in [&Euclidean as &dyn Distance, &Manhattan, &Cosine] {
            for op in [isometric as Op, isometric_composite] {
                let all = with_gradients(op, &x, &z, &[0, 0, 0, 0], distance)?;
                assert!(
                    all.iter().flatten().all(|v| v.is_finite()),
                    "{distance:?} {all:?}"
                );
                if distance
                    .pairwise(&z)?
                    .get(0)?
                    .to_dtype(DType::F64)?
                    .to_vec1::<f64>()?[0]
                    > 0.
                {
                    continue; // Cosine: two zero vectors are 1 apart.
                }
                // The distance of two equal points has the gradient 0: alone in their cell, nothing
                // moves them.
                let alone = with_gradients(op, &x, &z, &[0, 0, 1, 2], distance)?;
                assert_eq!(alone.concat(), [0.; 17], "{distance:?}");
            }
        }
    }
    Ok(())
}

#[test]
fn distances_are_those_of_their_formulas() -> Result<()> {
    let x = Tensor::new(&[[3., 4.], [0., 0.], [-3., -4.], [6., 8.]], CPU)?;
    let d = |distance: &dyn Distance| -> Result<Vec<f64>> { Ok(values(&distance.pairwise(&x)?)) };
    let euclidean = [
        0., 5., 10., 5., 5., 0., 5., 10., 10., 5., 0., 15., 5., 10., 15., 0.,
    ];
    assert_eq!(d(&Euclidean)?, euclidean);
    let manhattan = [
        0., 7., 14., 7., 7., 0., 7., 14., 14., 7., 0., 21., 7., 14., 21., 0.,
    ];
    assert_eq!(d(&Manhattan)?, manhattan);
    assert_close(
        &d(&Cosine)?,
        &[
            0., 1., 2., 0., 1., 1., 1., 1., 2., 1., 0., 2., 0., 1., 2., 0.,
        ],
        1e-15,
    );
    // Pair by pair.
    assert_eq!(
        values(&Euclidean.distance(&x.narrow(0, 0, 2)?, &x.narrow(0, 2, 2)?)?),
        [10., 10.]
    );
    Ok(())
}

#[test]
fn only_what_is_asked_for_gets_a_gradient() -> Result<()> {
    let (x, z) = (points(1, 5, 3, DType::F32)?, points(2, 5, 2, DType::F32)?);
    for op in [isometric as Op, isometric_composite] {
        let gradients = op(&x.as_detached_tensor(), &z, &[0; 5], &Euclidean)?.backward()?;
        assert!(gradients.get(&x).is_none() && gradients.get(&z).is_some());
        let gradients = op(&x, &z.as_detached_tensor(), &[0; 5], &Euclidean)?.backward()?;
        assert!(gradients.get(&x).is_some() && gradients.get(&z).is_none());
        // Both through one tensor.
        let gradients = op(&x, &(x.as_tensor() * 2.)?, &[0; 5], &Euclidean)?.backward()?;
        assert!(gradients.get(&x).is_some());
    }
    // Rows that do not lie one after another in memory.
    let (xt, zt) = (Var::from_tensor(&x.t()?)?, Var::from_tensor(&z.t()?)?);
    let strided = isometric(&xt.t()?, &zt.t()?, &[0; 5], &Euclidean)?.to_scalar::<f32>()?;
    assert_eq!(
        strided,
        isometric(&x, &z, &[0; 5], &Euclidean)?.to_scalar::<f32>()?
    );
    Ok(())
}

#[test]
fn bad_arguments_are_refused() -> Result<()> {
    let (x, z) = (wave(&[4, 3], 0.)?, wave(&[4, 2], 0.)?);
    for op in [isometric as Op, isometric_composite] {
        let text = |x: &Tensor, z: &Tensor, cells: &[u32]| message(op(x, z, cells, &Euclidean));
        let none = Tensor::zeros((0, 3), DType::F64, CPU)?;
        assert_eq!(
            text(&none, &none, &[]),
            "isometric: x has shape [0, 3]; expected (N, D) with N at least 1"
        );
        assert_eq!(
            text(&x, &z.narrow(0, 0, 3)?, &[0; 4]),
            "isometric: z has shape [3, 2]; expected (4, E), a row for each of x"
        );
        assert_eq!(
            text(&x, &z, &[0; 3]),
            "isometric: cells has shape [3]; expected (4,), one for each row of x"
        );
        assert_eq!(
            text(&x, &z.to_dtype(DType::F32)?, &[0; 4]),
            "dtype of z is F32; expected F64, that of x"
        );
    }
    assert_eq!(
        message(Euclidean.pairwise(&wave(&[3], 0.)?)),
        "pairwise: x has shape [3]; expected (N, D)"
    );
    Ok(())
}
