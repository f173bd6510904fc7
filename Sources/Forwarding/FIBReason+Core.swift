package import FIB
import NetTypes
package import StatusAPI

extension FIBReason {
    /// What kept a route out of the kernel, by what is known of the route's interfaces.
    package init(_ reason: FIBSkipReason, of route: FIBRoute?, _ interfaces: InterfaceTable) {
        self =
            switch reason {
            case .foreignRoute(let number): .routeInTheWay(routeProtocol: number)
            case .kernelError(let code):
                switch KernelError.meaning(code, of: route, interfaces) {
                case .interfaceGone(let index): .interfaceGone(index: index)
                case .interfaceDown(let name): .interfaceDown(interface: name)
                case .appearedMeanwhile: .appearedMeanwhile
                case .noPermission: .noPermission
                case .outOfMemory: .kernelOutOfMemory
                case .familyDisabled(let family): .familyDisabled(family: family?.name ?? "such family")
                case .formNotSupported: .formNotSupported
                case .gatewayUnreachable: .gatewayUnreachable
                case .sourceNotOurs(let source): .sourceNotOurs(source: "\(source)")
                case .gatewayIsThisHost(let gateway): .gatewayIsThisHost(gateway: "\(gateway)")
                case nil: .kernelError(code: code)
                }
            }
    }
}
