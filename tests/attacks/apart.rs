//! What must hold of every attack that decides for each image alone.

use candle_core::{DType, Device, Tensor};
use isopath::Result;
use isopath::attacks::{Adversarial, Attack, Bounds, Norm};
use isopath::datasets::Dataset;
use isopath::metrics::accuracy;
use isopath::models::{Activation, Model, Network};
use isopath::rng::Rng;
use rayon::ThreadPoolBuilder;

use crate::common::{Mlp, values};

/// The message of an error; one line.
pub fn message<T>(result: Result<T>) -> String {
    let message = result.err().expect("should be refused").to_string();
    assert_eq!(message.lines().count(), 1, "{message}");
    message
}

/// The library's own network: its answer to an image does not depend on the others, bit for bit, if
/// its layers have at most 24 units, three vectors of AVX2. A small product of `gemm`, which wider
/// layers take, depends on the number of rows.
pub fn own_mlp(seed: u64, widths: &[usize]) -> Result<Model<isopath::models::Mlp>> {
    let widths = widths.to_vec();
    Model::new(seed, move |vb| {
        isopath::models::Mlp::new(&widths, Activation::Tanh, vb)
    })
}

/// Images (rows, …) in [0, 1], some pixels on the bounds, labelled by the network itself but for
/// every seventh.
pub fn images(
    network: &dyn Network,
    rows: usize,
    shape: &[usize],
    dtype: DType,
) -> Result<Dataset> {
    let mut rng = Rng::new(11).stream("images");
    let dims: Vec<usize> = [&[rows], shape].concat();
    let images = rng
        .uniform(dims, -0.1, 1.1, DType::F32, &Device::Cpu)?
        .clamp(0., 1.)?
        .to_dtype(dtype)?;
    let logits = network.forward(&images)?;
    let classes = logits.dim(1)? as u32;
    let mut labels = logits.argmax(1)?.to_vec1::<u32>()?;
    for label in labels.iter_mut().step_by(7) {
        *label = (*label + 1) % classes;
    }
    Dataset::new(images, Tensor::new(labels, &Device::Cpu)?)
}

fn bits(found: &Adversarial) -> Result<Vec<u64>> {
    Ok(values(&found.data.inputs)?
        .into_iter()
        .map(f64::to_bits)
        .collect())
}

/// An attack, as it comes with a batch size and bounds.
pub type Make<'a, A> = &'a (dyn Fn(usize, Option<Bounds>) -> A + Sync);

/// The laws, for images of two channels of 4 × 5.
pub fn laws<A: Attack>(norm: Norm, make: Make<A>) -> Result<()> {
    neither_batch_nor_order_nor_threads_matter(make)?;
    the_ball_and_the_bounds_hold(norm, make)?;
    only_the_misled_count(make)?;
    hard_cases(make)
}

const SHAPE: [usize; 3] = [2, 4, 5];
const UNIT: Option<Bounds> = Some(Bounds { min: 0., max: 1. });

fn network(dtype: DType) -> Result<Mlp> {
    Mlp::random(5, &[40, 12, 4], dtype)
}

fn neither_batch_nor_order_nor_threads_matter<A: Attack>(make: Make<A>) -> Result<()> {
    let network = own_mlp(5, &[40, 24, 4])?;
    let data = images(&network, 23, &SHAPE, DType::F32)?;
    let eps = 0.1;
    let one = make(23, UNIT).attack(&network, &data, eps)?;
    assert!(one.success_rate() > 0. && one.success_rate() < 1., "{one}");
    for batch_size in [1, 2, 5, 22, 100] {
        let found = make(batch_size, UNIT).attack(&network, &data, eps)?;
        assert!(bits(&one)? == bits(&found)?, "batch_size {batch_size}");
        assert_eq!((&one.success, &one.after), (&found.success, &found.after));
    }
    for threads in [1, 3] {
        let pool = ThreadPoolBuilder::new().num_threads(threads).build();
        let found = pool
            .unwrap()
            .install(|| make(4, UNIT).attack(&network, &data, eps))?;
        assert!(bits(&one)? == bits(&found)?, "{threads} threads");
    }
    let order = Rng::new(3).permutation(23);
    let found = make(6, UNIT).attack(&network, &data.select(&order)?, eps)?;
    let (before, after) = (bits(&one)?, bits(&found)?);
    for (place, row) in order.iter().enumerate() {
        assert_eq!(
            before[row * 40..][..40],
            after[place * 40..][..40],
            "row {row}"
        );
    }
    Ok(())
}

fn the_ball_and_the_bounds_hold<A: Attack>(norm: Norm, make: Make<A>) -> Result<()> {
    for dtype in [DType::F64, DType::F32, DType::F16] {
        let network = network(dtype)?;
        let unit = images(&network, 9, &SHAPE, dtype)?;
        for bounds in [UNIT, None, Some(Bounds { min: -1., max: 3. })] {
            let data = match bounds {
                Some(Bounds { min, max }) => Dataset::new(
                    (&unit.inputs * (max - min))?.affine(1., min)?,
                    unit.labels.clone(),
                )?,
                None => unit.clone(),
            };
            for eps in [0.01, 0.2, 1.5] {
                let found = make(4, bounds).attack(&network, &data, eps)?;
                // Half a unit in the last place of x ± ε for each pixel, in L2 √40 of them.
                let unit = match dtype {
                    DType::F64 => 2f64.powi(-53),
                    DType::F32 => 2f64.powi(-24),
                    _ => 2f64.powi(-11),
                };
                let pixels = if norm == Norm::L2 { 40f64.sqrt() } else { 1. };
                let rounding = unit * (eps + 3. + eps) * pixels + 40. * unit * eps;
                for distance in &found.distance {
                    assert!(*distance <= eps + rounding, "{dtype:?} {distance} > {eps}");
                }
                if let Some(Bounds { min, max }) = bounds {
                    let pixels = values(&found.data.inputs)?;
                    assert!(pixels.iter().all(|pixel| (min..=max).contains(pixel)));
                }
                assert_eq!(found.data.inputs.dtype(), dtype);
                assert_eq!(found.data.inputs.dims(), data.inputs.dims());
            }
            // A ball of radius 0 holds the image alone.
            let found = make(4, bounds).attack(&network, &data, 0.)?;
            let original: Vec<u64> = values(&data.inputs)?
                .into_iter()
                .map(f64::to_bits)
                .collect();
            assert_eq!(bits(&found)?, original);
            assert!((1. - found.success_rate() - accuracy(&network, &data)?).abs() < 1e-12);
        }
    }
    Ok(())
}

fn only_the_misled_count<A: Attack>(make: Make<A>) -> Result<()> {
    let network = network(DType::F32)?;
    let data = images(&network, 30, &SHAPE, DType::F32)?;
    let found = make(8, UNIT).attack(&network, &data, 0.08)?;
    let labels = data.labels.to_vec1::<u32>()?;
    for (row, label) in labels.iter().enumerate() {
        assert_eq!(found.success[row], found.after[row].class != *label);
        // Wrong before: left as it is.
        if found.before[row].class != *label {
            assert_eq!(found.distance[row], 0.);
        }
    }
    let wrong = found
        .before
        .iter()
        .zip(&labels)
        .filter(|(answer, label)| answer.class != **label);
    assert!(wrong.count() == 5 && found.success_rate() > 6. / 30.);
    assert!((accuracy(&network, &found.data)? - (1. - found.success_rate())).abs() < 1e-12);
    // A curve has the points of its calls.
    let radii = [0., 0.02, 0.08];
    let curve = make(8, UNIT).curve(&network, &data, &radii)?;
    for (eps, accuracy) in radii.into_iter().zip(curve.accuracy) {
        let found = make(8, UNIT).attack(&network, &data, eps)?;
        assert!(
            (accuracy - (1. - found.success_rate())).abs() < 1e-12,
            "{eps}"
        );
    }
    assert_eq!((curve.attack, curve.images), (found.attack, 30));
    Ok(())
}

fn hard_cases<A: Attack>(make: Make<A>) -> Result<()> {
    let attack = make(8, UNIT);
    let network = network(DType::F32)?;
    let data = images(&network, 6, &SHAPE, DType::F32)?;
    for eps in [-0.1, f64::NAN, f64::INFINITY] {
        let expected = format!("eps is {eps}; expected a finite number ≥ 0");
        assert_eq!(message(attack.attack(&network, &data, eps)), expected);
        assert_eq!(
            message(attack.curve(&network, &data, &[0.1, eps])),
            expected
        );
    }
    assert!(message(attack.curve(&network, &data, &[])).ends_with("expected at least one"));
    // One class: no answer can be wrong. Two and three: as many targets as there are.
    let one = Mlp::random(5, &[40, 1], DType::F32)?;
    let ones = Dataset::new(
        data.inputs.clone(),
        Tensor::zeros(6, DType::U32, &Device::Cpu)?,
    )?;
    assert_eq!(
        message(attack.attack(&one, &ones, 0.1)),
        "number of classes is 1; expected at least 2, or no answer can be wrong"
    );
    for classes in [2, 3] {
        let network = Mlp::random(5, &[40, 12, classes], DType::F32)?;
        let data = images(&network, 20, &SHAPE, DType::F32)?;
        let found = attack.attack(&network, &data, 0.3)?;
        // Three are wrong before.
        let misled = found.success.iter().filter(|success| **success).count();
        assert!(misled > 3, "{classes} classes: {found}");
    }
    // The same answer to every image.
    let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu);
    let bias = Tensor::new(&[0f32, 0., 1., 0.], &Device::Cpu)?;
    let same = Mlp {
        layers: vec![(zeros(&[4, 40])?, bias)],
    };
    let labels = Tensor::new(&[2u32, 2, 2, 2, 0, 1], &Device::Cpu)?;
    let data = Dataset::new(data.inputs.clone(), labels)?.with_classes(["a", "b", "c", "d"])?;
    let found = attack.attack(&same, &data, 0.3)?;
    assert_eq!(found.success, [false, false, false, false, true, true]);
    // Weights that are no numbers.
    let broken = Mlp {
        layers: vec![((zeros(&[4, 40])? + f64::NAN)?, zeros(&[4])?)],
    };
    assert!(message(attack.attack(&broken, &data, 0.3)).contains("expected finite numbers"));
    // Pixels outside the bounds.
    let outside = Dataset {
        inputs: (&data.inputs * 1.5)?,
        ..data.clone()
    };
    assert!(message(attack.attack(&network, &outside, 0.3)).contains("inside the bounds [0, 1]"));
    let none = Dataset {
        inputs: zeros(&[0, 2, 4, 5])?,
        ..data.clone()
    };
    assert!(message(attack.attack(&network, &none, 0.3)).contains("N ≥ 1"));
    Ok(())
}
