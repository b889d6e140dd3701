/** What gobetween's files hold that is not in any schema: keys without effect, and keys of its kinds. */

/** Keys that gobetween has once had, or never read although its own samples show them, and what to write instead. */
export const ignoredKeys: Readonly<Record<string, string>> = {
  prefer_server_ciphers: "",
  ping_timeout_duration: "the key is timeout",
  sni_enabled: "the section sni turns it on",
  docker_cache_ttl: "",
  consul_service_datacenter: "the key is consul_datacenter",
};

/** The same for `[defaults]` alone: elsewhere these are keys. */
export const ignoredDefaults: Readonly<Record<string, string>> = {
  protocol: "it belongs to each server",
  balance: "it belongs to each server",
};

/**
 * Keys whose empty string means "not given": whoever builds a configuration from gobetween's own types sends them
 * all.
 */
export const blankMeansAbsent: ReadonlySet<string> = new Set([
  ...["level", "output", "format", "protocol", "balance", "failpolicy", "default"],
  ...["srv_dns_protocol", "hostname_matching_strategy", "unexpected_hostname_strategy"],
  ...["lxd_server_remote_name", "lxd_config_directory"],
  ...["lxd_container_interface", "lxd_container_address_type"],
  ...["interval", "timeout", "initial_status", "read_timeout"],
  ...["min_version", "max_version", "client_auth"],
  ...["client_idle_timeout", "backend_idle_timeout", "backend_connection_timeout"],
]);

/** A kind's keys in gobetween's order, with what its API shows where a key was not given. */
export type KeyGroup = Readonly<Record<string, string | number | boolean | null>>;

/** gobetween's strategies. */
export const gobetweenStrategies: readonly string[] = [
  ...["weight", "leastconn", "roundrobin", "leastbandwidth", "iphash", "iphash1"],
];

/** gobetween's discoveries and their keys. */
export const gobetweenDiscoveries: Readonly<Record<string, KeyGroup>> = {
  static: { static_list: null },
  srv: { srv_lookup_server: "", srv_lookup_pattern: "", srv_dns_protocol: "udp" },
  docker: {
    docker_endpoint: "",
    docker_container_label: "",
    docker_container_private_port: 0,
    docker_container_host_env_var: "",
    docker_tls_enabled: false,
    docker_tls_cert_path: "",
    docker_tls_key_path: "",
    docker_tls_cacert_path: "",
  },
  json: {
    json_endpoint: "",
    json_host_pattern: "",
    json_port_pattern: "",
    json_weight_pattern: "",
    json_priority_pattern: "",
    json_sni_pattern: "",
    json_max_connections_pattern: "",
  },
  exec: { exec_command: null },
  plaintext: { plaintext_endpoint: "", plaintext_regex_pattern: "" },
  consul: {
    consul_host: "",
    consul_service_name: "",
    consul_service_tag: "",
    consul_service_passing_only: false,
    consul_datacenter: "",
    consul_auth_username: "",
    consul_auth_password: "",
    consul_acl_token: "",
    consul_tls_enabled: false,
    consul_tls_cert_path: "",
    consul_tls_key_path: "",
    consul_tls_cacert_path: "",
  },
  lxd: {
    lxd_server_address: "",
    lxd_server_remote_name: "local",
    lxd_server_remote_password: "",
    lxd_config_directory: "",
    lxd_generate_client_certs: false,
    lxd_accept_server_cert: false,
    lxd_container_label_key: "",
    lxd_container_label_value: "",
    lxd_container_port: 0,
    lxd_container_port_key: "",
    lxd_container_interface: "eth0",
    lxd_container_interface_key: "",
    lxd_container_sni_key: "",
    lxd_container_address_type: "",
  },
};

/** gobetween's health checks and their keys. */
export const gobetweenChecks: Readonly<Record<string, KeyGroup>> = {
  ping: {},
  exec: { exec_command: "", exec_expected_positive_output: "", exec_expected_negative_output: "" },
  probe: {
    probe_protocol: "",
    probe_strategy: "",
    probe_send: "",
    probe_recv: "",
    probe_recv_len: 0,
  },
};
