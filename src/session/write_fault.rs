//! Why a store takes nothing new, while what it holds can still be read.

/// One kind of trouble; each has its own label in the metrics, so that a full disk and a damaged one look different.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WriteFault {
    /// What was written does not read back as it should.
    #[error("its file is damaged")]
    Damaged,
    /// No room, a quota or a limit on the size of files.
    #[error("its disk is full")]
    DiskFull,
    /// Another file lies where the store's own was opened.
    #[error("another file lies in the place of its own")]
    Displaced,
    /// Any other error of the disk.
    #[error("its disk fails")]
    Failing,
    /// The file system was made read-only.
    #[error("its disk is read-only")]
    ReadOnly,
}

impl WriteFault {
    /// Every kind there is.
    pub const ALL: [Self; 5] = [Self::Damaged, Self::DiskFull, Self::Displaced, Self::Failing, Self::ReadOnly];

    /// The word in logs and metrics.
    pub fn as_str(self) -> &'static str {
        self.label()[0]
    }

    /// The value of the one label of its metric.
    pub fn label(self) -> &'static [&'static str; 1] {
        match self {
            Self::Damaged => &["damaged"],
            Self::DiskFull => &["disk_full"],
            Self::Displaced => &["displaced"],
            Self::Failing => &["disk_failing"],
            Self::ReadOnly => &["read_only"],
        }
    }
}

impl From<std::io::ErrorKind> for WriteFault {
    fn from(kind: std::io::ErrorKind) -> Self {
        use std::io::ErrorKind as K;
        match kind {
            K::StorageFull | K::QuotaExceeded | K::FileTooLarge => Self::DiskFull,
            K::ReadOnlyFilesystem | K::PermissionDenied => Self::ReadOnly,
            K::InvalidData | K::UnexpectedEof => Self::Damaged,
            _ => Self::Failing,
        }
    }
}
