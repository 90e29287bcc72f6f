use isopath::Result;
use isopath::candle::{DType, Device, Tensor};
use isopath::optimizers::Optimizer as TrainOptimizer;
use isopath::paths::*;
use isopath::prelude::{
    Activation, IsometricLoss, Mlp, Model, Representation, RingsParams, Rng, datasets,
};
use isopath::training::{Schedule, TrainParams, train};

fn digest(t: &Tensor) -> u64 {
    let v = t
        .to_dtype(DType::F64)
        .unwrap()
        .flatten_all()
        .unwrap()
        .to_vec1::<f64>()
        .unwrap();
    v.iter().fold(0xcbf29ce484222325u64, |h, x| {
        (h ^ x.to_bits()).wrapping_mul(0x100000001b3).rotate_left(5)
    })
}

fn adam(step_size: f64) -> Optimizer {
    Optimizer::adam(step_size)
}
fn momentum(step_size: f64, momentum: f64) -> Optimizer {
    Optimizer::Sgd(SgdParams {
        momentum,
        ..SgdParams::plain(step_size)
    })
}
fn fire(step_size: f64, max_step: f64) -> Optimizer {
    Optimizer::Fire(FireParams {
        time_step: step_size,
        max_step,
    })
}

#[test]
fn bits() -> Result<()> {
    let cpu = &Device::Cpu;
    let mut out = String::new();
    for dtype in [DType::F32, DType::F64] {
        let s = Tensor::new(&[[-0.558, 1.442], [-0.05, 0.467]], cpu)?.to_dtype(dtype)?;
        let e = Tensor::new(&[[0.623, 0.028], [0.623, 0.028]], cpu)?.to_dtype(dtype)?;
        for (name, optimizer, n) in [
            ("adam", adam(0.01), 1500),
            ("momentum", momentum(1e-4, 0.9), 500),
            ("plain", momentum(2e-4, 0.), 300),
            ("fire", fire(0.002, 0.2), 700),
        ] {
            for climbing in [false, true] {
                let params = NebParams {
                    pivots: 11,
                    spacing: Spacing::Springs { constant: 100. },
                    climbing,
                    optimizer,
                    stop: Stop::Force(1e-12),
                    max_iterations: n,
                    ..NebParams::default()
                };
                for info in neb(&MullerBrown::default(), &s, &e, &params)? {
                    out += &format!("{dtype:?} {name} {climbing} {:016x}\n", digest(&info.path));
                }
            }
            let params = NebParams {
                pivots: 11,
                spacing: Spacing::Redistribution,
                optimizer,
                stop: Stop::Force(1e-12),
                max_iterations: n,
                ..NebParams::default()
            };
            for info in neb(&MullerBrown::default(), &s, &e, &params)? {
                out += &format!(
                    "{dtype:?} {name} redistribution {:016x}\n",
                    digest(&info.path)
                );
            }
        }
        let net = Model::on(3, dtype, cpu, |vb| {
            Mlp::new(&[20, 30, 10], Activation::Tanh, vb)
        })?;
        let x = Rng::new(4).normal((6, 20), 0., 2., dtype, cpu)?;
        let y = Rng::new(5).normal((6, 20), 0., 2., dtype, cpu)?;
        let energy = NetworkEnergy::new(&*net, Representation::Input, &[0, 1, 2, 3, 4, 5])?;
        for (name, optimizer) in [
            ("adam", adam(0.01)),
            ("momentum", momentum(0.01, 0.9)),
            ("fire", fire(0.05, 0.5)),
        ] {
            let params = NebParams {
                optimizer,
                stop: Stop::Force(1e-12),
                max_iterations: 400,
                ..NebParams::default()
            };
            for info in neb(&energy, &x, &y, &params)? {
                out += &format!("net {dtype:?} {name} {:016x}\n", digest(&info.path));
            }
        }
    }
    let rings = datasets::entangled_rings(&RingsParams {
        points: 60,
        ..RingsParams::default()
    })?
    .dataset()?;
    for (name, optimizer) in [
        ("adam", TrainOptimizer::Adam(AdamParams::default())),
        ("sgd", TrainOptimizer::Sgd(SgdParams::default())),
        (
            "sgd plain",
            TrainOptimizer::Sgd(SgdParams {
                nesterov: false,
                weight_decay: 0.,
                ..SgdParams::default()
            }),
        ),
    ] {
        for schedule in [Schedule::Constant, Schedule::ONE_CYCLE] {
            let network = Model::on(0, DType::F32, cpu, |vb| {
                Mlp::new(&[3, 20, 20, 2], Activation::Tanh, vb)
            })?;
            let params = TrainParams {
                epochs: 300,
                batch_size: 50,
                optimizer,
                schedule,
                progress: isopath::progress::Progress::Hidden,
                ..TrainParams::default()
            };
            train(&network, &rings, &IsometricLoss::new(1.), &params)?;
            let all: Vec<String> = network
                .parameters()
                .vars()
                .iter()
                .map(|v| format!("{:016x}", digest(v.as_tensor())))
                .collect();
            out += &format!("train {name} {schedule:?} {}\n", all.join(" "));
        }
    }
    std::fs::write("/tmp/paths_bits.txt", &out).unwrap();
    Ok(())
}
