//! Whether what was read as a data set can be learned from. The registry asks it
//! of every one that it reads; those from outside need it.

use super::{DataError, Dataset, Images};

impl Dataset {
    /// Whether its parts fit themselves and one another: as many images as labels and at least one, labels below the
    /// number of classes, all parts of one form, and a normalisation for each channel.
    ///
    /// # Errors
    /// [`DataError::Other`], which names the data set.
    pub fn check(&self) -> Result<(), DataError> {
        self.complaint().map_or(Ok(()), |complaint| Err(DataError::other(&self.name, complaint)))
    }

    fn complaint(&self) -> Option<String> {
        let held_out = self.validation.as_ref().map(|images| ("validation", images));
        let mut parts = [("training", &self.train), ("test", &self.test)].into_iter().chain(held_out);
        let of = |(part, images): (&str, &Images)| {
            let told = images.complaint().or_else(|| images.unlike(&self.train))?;
            Some(format!("its {part} part has {told}"))
        };
        parts.find_map(of).or_else(|| self.unnormal())
    }

    /// What is wrong with the normalisation.
    fn unnormal(&self) -> Option<String> {
        let (channels, mean, std) = (self.train.channels, &self.normalisation.mean, &self.normalisation.std);
        if [mean.len(), std.len()] != [channels; 2] {
            let found = format!("{} values of mean and {} of std", mean.len(), std.len());
            return Some(format!("its normalisation has {found} for {channels} channels"));
        }
        let is_usable = |mean: &f32, std: &f32| mean.is_finite() && std.is_finite() && *std > 0.0;
        let wrong = mean.iter().zip(std).find(|(mean, std)| !is_usable(mean, std))?;
        let needs = "finite numbers are needed, and a deviation above 0";
        Some(format!("its normalisation has a mean of {} and a deviation of {}; {needs}", wrong.0, wrong.1))
    }
}

impl Images {
    fn complaint(&self) -> Option<String> {
        let (images, pixels) = (self.len(), self.pixels.len());
        let [channels, height, width] = self.shape();
        let needed = [images, channels, height, width].into_iter().fold(1, usize::saturating_mul);
        if needed == 0 || needed != pixels {
            let form = format!("{channels}x{height}x{width}");
            return Some(format!("{pixels} pixels and {images} labels for images of {form}"));
        }
        let label = self.labels.iter().find(|&&label| usize::from(label) >= self.classes)?;
        Some(format!("the label {label} where there are {} classes", self.classes))
    }

    /// In what they differ from those that are learned from.
    fn unlike(&self, train: &Self) -> Option<String> {
        let form = |images: &Self| {
            let ([channels, height, width], classes) = (images.shape(), images.classes);
            format!("images of {channels}x{height}x{width} in {classes} classes")
        };
        let (here, there) = (form(self), form(train));
        (here != there).then(|| format!("{here}, the training part {there}"))
    }

    fn shape(&self) -> [usize; 3] {
        [self.channels, self.height, self.width]
    }
}
