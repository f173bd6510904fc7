import Resources

/// One object as YAML.
func object(_ kind: String, _ name: String, _ spec: String, labels: String = "") -> String {
    """
    apiVersion: projectcalico.org/v3
    kind: \(kind)
    metadata: {name: \(name), labels: {\(labels)}}
    spec: {\(spec)}
    ---

    """
}

func load(_ text: String, previous: ResourceSet = ResourceSet()) -> ResourceSet {
    ResourceSet([ResourceParser.parse(text, file: "r.yaml")], files: ["r.yaml"], previous: previous)
}
