/// The release that this is: what `--version`, the status and the metrics say. The changelog begins with it.
public enum Release {
  public static let version = "0.1.0"
}
