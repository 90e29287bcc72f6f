#[test]
fn batches_hold_every_index_once_and_repeat_with_the_seed() -> Result<()> {
    for (n, size) in [(1, 1), (7, 3), (6, 3), (5, 100), (257, 16)] {
        let batches = || {
            Batches::new(n, size, Some(&mut Rng::new(2))).map(|batches| batches.collect::<Vec<_>>())
        };
        assert_eq!(batches()?, batches()?);
        assert_eq!(batches()?.len(), n.div_ceil(size));
        let mut all = batches()?.concat();
        all.sort_unstable();
        assert_eq!(all, (0..n as u32).collect::<Vec<_>>());
        let whole: Vec<_> = Batches::new(n, size, None)?.drop_last().collect();
        assert_eq!(whole.len(), n / size);
        assert!(whole.iter().all(|batch| batch.len() == size));
    }
    let order =
        |seed| Batches::new(50, 50, Some(&mut Rng::new(seed))).map(|mut batches| batches.next());
    assert_ne!(order(1)?, order(2)?);
    // One generator gives each epoch another order.
    let mut rng = Rng::new(1);
    assert_ne!(
        Batches::new(50, 50, Some(&mut rng))?.next(),
        Batches::new(50, 50, Some(&mut rng))?.next()
    );
    Ok(())
}

#[test]
fn batches_of_tensors_keep_images_with_their_labels() -> Result<()> {
    let images = Tensor::arange(0f32, 14., &Device::Cpu)?.reshape((7, 2))?;
    let labels = Tensor::arange(0u32, 7, &Device::Cpu)?;
    let batches = Batches::new(7, 3, Some(&mut Rng::new(3)))?.of(&images, &labels, &Device::Cpu)?;
    assert_eq!(batches.len(), 3);
    let mut seen = Vec::new();
    for batch in batches {
        let (x, y) = batch?;
        assert_eq!(x.dims(), [y.dim(0)?, 2]);
        for (row, label) in x.to_vec2::<f32>()?.into_iter().zip(y.to_vec1::<u32>()?) {
            assert_eq!(row, [2. * label as f32, 2. * label as f32 + 1.]);
            seen.push(label);
        }
    }
    seen.sort_unstable();
    assert_eq!(seen, [0, 1, 2, 3, 4, 5, 6]);
    Ok(())
}

#[test]
fn bad_batches_are_refused() -> Result<()> {
    let error = |n, size| Batches::new(n, size, None).unwrap_err().to_string();
    assert_eq!(error(5, 0), "batch_size is 0; expected at least 1");
    assert_eq!(error(0, 5), "n is 0; expected from 1 to 2³² − 1");
    let tensor = |n: usize| Tensor::zeros((n, 2), DType::F32, &Device::Cpu);
    let labels = |n: usize| Tensor::zeros(n, DType::U32, &Device::Cpu);
    for (images, labels) in [
        (tensor(4)?, labels(3)?),
        (tensor(3)?, labels(4)?),
        (tensor(4)?, tensor(4)?),
    ] {
        let result = Batches::new(4, 2, None)?.of(&images, &labels, &Device::Cpu);
        assert!(matches!(result, Err(Error::Shape { .. })), "{result:?}");
    }
    Ok(())
}

