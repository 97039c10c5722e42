// Where to listen, as a user says it.

/** A TCP address to listen on. */
export interface TcpListenOptions {
  /**
   * The host: a name or an address of this machine. `0.0.0.0` or `::` is any,
   * which opens the application to whoever can reach the port: see
   * `allowedClients`.
   *
   * @default {"127.0.0.1"}
   */
  hostname?: string;
  /** The port, 0 to 65,535; 0 takes a free one. */
  port: number;
}

/** A Unix socket to listen on. */
export interface UnixListenOptions {
  /** The path of the socket file. */
  path: string;
  /**
   * The file's permissions, such as `0o660`: who may write it may connect.
   *
   * @default {undefined} (as the umask has it)
   */
  mode?: number;
  /** The file's owner, a name or a number. */
  owner?: string | number;
  /** The file's group, a name or a number. */
  group?: string | number;
}

/** A listening socket that the process was started with. */
export interface InheritedListenOptions {
  /**
   * Its descriptor; 0 is FCGI_LISTENSOCK_FILENO (FastCGI 1.0, section 2.2),
   * 3 the first of systemd.
   */
  fd: number;
}

/** Where to listen. */
export type ListenOptions =
  | TcpListenOptions
  | UnixListenOptions
  | InheritedListenOptions;
