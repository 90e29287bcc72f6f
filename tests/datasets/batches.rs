//! Shuffled batches, shuffles and splits.

use candle_core::{Device, Tensor};
use isopath::datasets::Dataset;
use isopath::rng::Rng;
use isopath::{Error, Result};

/// n inputs (2i, 2i + 1) with the label i.
fn counted(n: usize) -> Result<Dataset> {
    let inputs = Tensor::arange(0f32, 2. * n as f32, &Device::Cpu)?.reshape((n, 2))?;
    Dataset::new(inputs, Tensor::arange(0u32, n as u32, &Device::Cpu)?)
}

/// The labels of all batches; fails where an input has lost its label.
fn labels(batches: impl Iterator<Item = Result<Dataset>>) -> Result<Vec<Vec<u32>>> {
    batches
        .map(|batch| {
            let batch = batch?;
            let labels = batch.labels.to_vec1::<u32>()?;
            for (row, label) in batch.inputs.to_vec2::<f32>()?.into_iter().zip(&labels) {
                assert_eq!(row, [2. * *label as f32, 2. * *label as f32 + 1.]);
            }
            Ok(labels)
        })
        .collect()
}

#[test]
fn batches_hold_every_input_once_with_its_label_and_repeat_with_the_seed() -> Result<()> {
    for (n, size) in [(1, 1), (7, 3), (6, 3), (5, 100), (257, 16)] {
        let data = counted(n)?;
        let batches = || data.shuffled_batches(size, Rng::new(2));
        assert_eq!(batches()?.len(), n.div_ceil(size));
        let all = labels(batches()?)?;
        assert_eq!(all.len(), n.div_ceil(size));
        assert_eq!(all, labels(batches()?)?);
        let mut all = all.concat();
        all.sort_unstable();
        assert_eq!(all, (0..n as u32).collect::<Vec<_>>());

        let whole = batches()?.drop_last();
        assert_eq!(whole.len(), n / size);
        let whole = labels(whole)?;
        assert_eq!(whole.len(), n / size);
        assert!(whole.iter().all(|batch| batch.len() == size));
    }
    Ok(())
}

#[test]
fn the_order_is_the_generator_s_permutation_and_one_batch_keeps_its_own() -> Result<()> {
    let rng = || Rng::new(5).stream("epoch 3");
    let expected: Vec<u32> = rng()
        .permutation(50)
        .into_iter()
        .map(|row| row as u32)
        .collect();
    let data = counted(50)?;
    assert_eq!(labels(data.shuffled_batches(7, rng())?)?.concat(), expected);
    let in_order: Vec<u32> = (0..50).collect();
    assert_ne!(expected, in_order);
    assert_eq!(labels(data.shuffled_batches(50, rng())?)?, [in_order]);
    let error = data.shuffled_batches(0, rng()).unwrap_err().to_string();
    assert_eq!(error, "batch_size is 0; expected at least 1");
    Ok(())
}

#[test]
fn a_split_takes_every_input_once_and_repeats_with_the_seed() -> Result<()> {
    let data = counted(10)?.with_classes((0..10).map(|n| format!("class {n}")))?;
    let parts = |seed| -> Result<_> {
        let split = data.split(0.25, seed)?;
        assert_eq!(split.train.classes, data.classes);
        labels([Ok(split.train), Ok(split.test)].into_iter())
    };
    let first = parts(1)?;
    // 2.5 is rounded away from zero.
    assert_eq!((first[0].len(), first[1].len()), (7, 3));
    assert_eq!(first, parts(1)?);
    assert_ne!(first, parts(2)?);
    let mut all = first.concat();
    all.sort_unstable();
    assert_eq!(all, (0..10).collect::<Vec<_>>());
    for share in [0., 1., -0.5, f64::NAN, f64::INFINITY, 0.01] {
        assert!(
            matches!(data.split(share, 1), Err(Error::Argument { .. })),
            "{share}"
        );
    }
    Ok(())
}
