//! Writes the tables of a run, a round at a time; what stands in them is said by [`rows`].

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use phalanx_actors::{Evaluation, Observer, RoundReport, Snapshot};
use phalanx_robust::state::{State, StateError};

use super::{
    ResultsError, RunFolder,
    csv_file::{self, CsvFile},
    rows::{self, CLASSES, CONFUSION, EVALUATIONS, FAULTS, OF_CLASSES, ROUNDS, TIMINGS, Table, WORKERS},
};
use crate::config::Config;

/// The part of a snapshot that holds what the tables have added up.
const PART: &str = "tables";

/// The tables that every run has.
const ALWAYS: [Table; 4] = [ROUNDS, FAULTS, EVALUATIONS, TIMINGS];

/// The tables that a run has only if they are wanted.
const WANTED: [Table; 3] = [WORKERS, CLASSES, CONFUSION];

/// What is wanted of a run beyond the tables that every one has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Rounds from one in which every worker has a row to the next; 0 for none.
    pub workers_every: u64,
    /// Whether classes have rows, and evaluations the columns that follow from them.
    pub per_class: bool,
}

impl Wanted {
    /// What `config` asks for.
    pub fn by(config: &Config) -> Self {
        Self { workers_every: config.record.workers_every, per_class: config.evaluation.per_class }
    }

    /// The tables of such a run.
    fn tables(self) -> impl Iterator<Item = Table> {
        let is_wanted = [self.workers_every > 0, self.per_class, self.per_class];
        ALWAYS
            .into_iter()
            .chain(WANTED.into_iter().zip(is_wanted).filter(|(_, is)| *is).map(|(table, _)| table))
    }

    /// The columns of its evaluations.
    fn of_evaluations(self) -> Vec<&'static str> {
        let more = if self.per_class { OF_CLASSES.columns } else { &[] };
        [EVALUATIONS.columns, more].concat()
    }
}

/// Writes the tables, a round at a time.
pub struct Tables {
    rounds: CsvFile,
    faults: CsvFile,
    evaluations: CsvFile,
    timings: CsvFile,
    /// If every worker of some rounds has a row.
    workers: Option<CsvFile>,
    /// Rounds from one of these to the next.
    workers_every: u64,
    /// Those of single classes and of their pairs, if they are counted.
    classes: Option<[CsvFile; 2]>,
    gradients: u64,
    bytes: u64,
    began: Instant,
    /// Time that earlier processes spent on the rounds in the tables.
    before: Duration,
}

impl Tables {
    /// Begins the tables in `folder`.
    ///
    /// # Errors
    /// [`ResultsError`].
    pub fn create(folder: &RunFolder, wanted: Wanted) -> Result<Self, ResultsError> {
        let create = |table: Table| create(folder, table);
        let evaluations = folder.path().join(EVALUATIONS.file);
        let classes = || Ok([create(CLASSES)?, create(CONFUSION)?]);
        Ok(Self {
            rounds: create(ROUNDS)?,
            faults: create(FAULTS)?,
            evaluations: CsvFile::create(evaluations, &wanted.of_evaluations())?,
            timings: create(TIMINGS)?,
            workers: (wanted.workers_every > 0).then(|| create(WORKERS)).transpose()?,
            workers_every: wanted.workers_every,
            classes: wanted.per_class.then(classes).transpose()?,
            gradients: 0,
            bytes: 0,
            began: Instant::now(),
            before: Duration::ZERO,
        })
    }

    /// Goes on with the tables in `folder` where `snapshot` left them: rows that came after it are cut off when the run
    /// begins.
    ///
    /// # Errors
    /// [`ResultsError`] for a file that cannot be changed, or is shorter than it was.
    pub fn resume(folder: &RunFolder, wanted: Wanted, snapshot: &Snapshot) -> Result<Self, ResultsError> {
        let nothing = State::default();
        let state = snapshot.parts.get(PART).unwrap_or(&nothing);
        let failed = |error: StateError| ResultsError {
            path: folder.path().to_owned(),
            error: io::Error::other(error),
        };
        let number = |entry| state.value::<u64>(PART, entry).map_err(failed);
        let table = |table: Table| {
            number(table.entry).and_then(|length| CsvFile::resume(folder.path().join(table.file), length))
        };
        let [rounds, faults, evaluations, timings] = ALWAYS.map(table);
        let classes = || Ok([table(CLASSES)?, table(CONFUSION)?]);
        let workers_every = wanted.workers_every;
        Ok(Self {
            rounds: rounds?,
            faults: faults?,
            evaluations: evaluations?,
            timings: timings?,
            workers: Self::resume_workers(folder, workers_every, || table(WORKERS), state)?,
            workers_every,
            classes: wanted.per_class.then(classes).transpose()?,
            gradients: number("gradients")?,
            bytes: number("bytes")?,
            began: Instant::now(),
            before: Duration::from_nanos(number("nanoseconds")?),
        })
    }

    /// The table of every worker as it goes on by `resume`: what is wanted of it may have changed meanwhile, as no result
    /// depends on it.
    fn resume_workers(
        folder: &RunFolder,
        workers_every: u64,
        resume: impl FnOnce() -> Result<CsvFile, ResultsError>,
        state: &State,
    ) -> Result<Option<CsvFile>, ResultsError> {
        if workers_every > 0 && state.values.contains_key(WORKERS.entry) {
            return resume().map(Some);
        }
        folder.remove(WORKERS.file)?;
        (workers_every > 0).then(|| create(folder, WORKERS)).transpose()
    }

    /// Whether the tables in `folder` still begin with what they were when `snapshot` was taken.
    ///
    /// # Errors
    /// Which is not, in words.
    pub fn reach(folder: &Path, snapshot: &Snapshot) -> Result<(), String> {
        let state = snapshot.parts.get(PART).ok_or("it tells nothing of the tables")?;
        let wanted = WANTED.into_iter().filter(|table| state.values.contains_key(table.entry));
        for Table { entry, file: name, .. } in ALWAYS.into_iter().chain(wanted) {
            let noted: u64 = state.value(PART, entry).map_err(|error| error.to_string())?;
            let path = folder.join(name);
            let length = fs::metadata(&path).map_or(0, |metadata| metadata.len());
            if length < noted {
                return Err(format!("{name} has {length} bytes, it had {noted}"));
            }
            let digest = csv_file::digest(&path, noted).map_err(|error| format!("{name}: {error}"))?;
            let known = state.values.get(&sum(entry)); // checkpoints of old have none
            if known.is_some_and(|known| *known != digest) {
                return Err(format!("{name} is damaged: its first {noted} bytes are not what they were"));
            }
        }
        Ok(())
    }

    /// Time that earlier processes spent on the rounds in the tables.
    pub fn before(&self) -> Duration {
        self.before
    }

    /// The first table that is not in `folder`, of a run of which so much is wanted.
    pub fn missing(folder: &Path, wanted: Wanted) -> Option<PathBuf> {
        wanted.tables().map(|table| folder.join(table.file)).find(|path| !path.is_file())
    }

    /// Waits until the tables in `folder` are on the disk.
    ///
    /// # Errors
    /// Of the system.
    pub fn sync(folder: &Path) -> io::Result<()> {
        let path = |table: Table| folder.join(table.file);
        let wanted = WANTED.into_iter().filter(|table| path(*table).is_file());
        ALWAYS.into_iter().chain(wanted).try_for_each(|table| File::open(path(table))?.sync_all())
    }
}

impl Observer for Tables {
    fn begin(&mut self) -> Result<(), String> {
        let Self { rounds, faults, evaluations, timings, workers, classes, .. } = self;
        let classes = classes.iter_mut().flatten();
        [rounds, faults, evaluations, timings]
            .into_iter()
            .chain(workers)
            .chain(classes)
            .try_for_each(CsvFile::cut)
    }

    fn round(&mut self, report: &RoundReport) -> Result<(), String> {
        self.gradients += report.gradients;
        self.bytes += report.sent_bytes;
        self.rounds.write([rows::round(report, self.gradients, self.bytes)])?;
        self.faults.write(rows::mishaps(report))?;
        if let Some(workers) =
            self.workers.as_mut().filter(|_| report.round.is_multiple_of(self.workers_every))
        {
            workers.write(report.workers.iter().map(|worker| rows::fate(report.round, worker)))?;
        }
        self.timings.write([rows::times(report, self.before + self.began.elapsed())])
    }

    fn evaluation(&mut self, evaluation: &Evaluation) -> Result<(), String> {
        let mut row = rows::evaluation(evaluation);
        if let Some([classes, pairs]) = &mut self.classes {
            let round = evaluation.round;
            let counts = evaluation.confusion.as_deref().ok_or("nobody counted what is taken for what")?;
            row.extend(rows::of_classes(evaluation, counts));
            classes
                .write(counts.each().enumerate().map(|(class, counts)| rows::class(round, class, counts)))?;
            pairs
                .write(counts.pairs().map(|(class, predicted, n)| rows::pair(round, class, predicted, n)))?;
        }
        self.evaluations.write([row])
    }

    fn state(&self) -> Option<(&'static str, State)> {
        let elapsed = (self.before + self.began.elapsed()).as_nanos();
        let numbers = [
            ("gradients", self.gradients),
            ("bytes", self.bytes),
            ("nanoseconds", u64::try_from(elapsed).unwrap_or(u64::MAX)),
        ];
        let numbers = numbers.map(|(name, number)| (name.to_owned(), number.into()));
        let tables = [&self.rounds, &self.faults, &self.evaluations, &self.timings];
        let workers = self.workers.as_ref().map(|table| (WORKERS, table));
        let classes = [CLASSES, CONFUSION].into_iter().zip(self.classes.iter().flatten());
        let all = ALWAYS.into_iter().zip(tables).chain(workers).chain(classes);
        let noted = all.flat_map(|(Table { entry, .. }, file)| {
            [(entry.to_owned(), file.length().into()), (sum(entry), file.digest().into())]
        });
        let values = noted.chain(numbers).collect();
        Some((PART, State { values, ..State::default() }))
    }
}

/// Begins a table in `folder`.
fn create(folder: &RunFolder, table: Table) -> Result<CsvFile, ResultsError> {
    CsvFile::create(folder.path().join(table.file), table.columns)
}

/// The entry for the digest of a file.
fn sum(entry: &str) -> String {
    format!("{entry}_sha256")
}
