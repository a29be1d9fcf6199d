/// The version of this release, for `--version`, the status and the metrics. The changelog begins with it.
public enum Release {
  public static let version = "0.1.0"
}
